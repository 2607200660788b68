"""Two nodes for the folder, an app on them for each test."""

from collections.abc import AsyncIterator, Callable

import pytest

from kernel.gcra import rate
from tests.clients.conftest import WIDE
from tests.clients.installation import Installation, Tenant
from tests.engines import Engines


@pytest.fixture(scope="session")
async def sdk_nodes(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Installation]:
    """Two nodes of a shard."""
    database = await engines.fresh_database("chat")
    installation = Installation(database.url, engines.redis_url)
    await (await installation.tenant()).close()  # nodes without a control plane start from the shard's copies
    for port in free_ports(2):
        running = await installation.start_node(port)
        rates = running.node.limiter.address_rates
        rates.update(dict.fromkeys(rates, rate(100_000, 100_000)))
    yield installation
    await installation.stop()
    await engines.drop_database(database)


@pytest.fixture
async def tenant(sdk_nodes: Installation) -> AsyncIterator[Tenant]:
    """One app."""
    tenant = await sdk_nodes.tenant(limits=WIDE)
    yield tenant
    await tenant.close()


@pytest.fixture
def urls(sdk_nodes: Installation) -> list[str]:
    """The nodes' addresses."""
    return [node.url for node in sdk_nodes.nodes]
