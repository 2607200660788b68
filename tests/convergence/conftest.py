"""Two nodes for the folder."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from kernel.gcra import rate
from tests.clients.installation import Installation
from tests.convergence.base import Nodes
from tests.engines import Engines


@pytest.fixture(scope="session")
async def nodes(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Nodes]:
    """Two nodes of a shard."""
    database = await engines.fresh_database("chat")
    installation = Installation(database.url, engines.redis_url)
    await (await installation.tenant()).close()  # nodes without a control plane start from the shard's copies
    for port in free_ports(2):
        running = await installation.start_node(port)
        rates = running.node.limiter.address_rates
        rates.update(dict.fromkeys(rates, rate(100_000, 100_000)))
    yield Nodes(installation, asyncio.get_running_loop())
    await installation.stop()
    await engines.drop_database(database)
