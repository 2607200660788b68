"""Two nodes on real ports with a Redis of their own, which a test may stop."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.clients.installation import Installation
from tests.engines import Engines, Server


@pytest.fixture(scope="module")
async def valkey(engines: Engines) -> AsyncIterator[Server]:
    """The nodes' Redis."""
    server = engines.start_valkey()
    yield server
    server.kill()
    engines.servers.remove(server)


@pytest.fixture(scope="module")
async def installation(
    engines: Engines, valkey: Server, free_ports: Callable[[int], list[int]]
) -> AsyncIterator[Installation]:
    """Two nodes of one shard."""
    database = await engines.fresh_database("chat")
    installation = Installation(database.url, valkey.url)
    await (await installation.tenant()).close()  # nodes without a control plane start from the shard's copies
    for port in free_ports(2):
        await installation.start_node(port)
    yield installation
    await installation.stop()
    await engines.drop_database(database)
