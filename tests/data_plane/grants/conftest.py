"""Two nodes of one shard with real engines, and a fresh tenant for each test."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.clients.installation import Installation, Tenant
from tests.engines import Engines


@pytest.fixture(scope="module")
async def installation(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Installation]:
    """The nodes."""
    database = await engines.fresh_database("chat")
    installation = Installation(database.url, engines.redis_url)
    await (await installation.tenant()).close()  # nodes without a control plane start from the shard's copies
    for port in free_ports(2):
        await installation.start_node(port)
    yield installation
    await installation.stop()
    await engines.drop_database(database)


@pytest.fixture
async def tenant(installation: Installation) -> AsyncIterator[Tenant]:
    """A new app, whose server speaks to the first node."""
    tenant = await installation.tenant()
    yield tenant
    await tenant.close()
