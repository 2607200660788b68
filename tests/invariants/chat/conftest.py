"""Two tenants on two nodes for the whole folder."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.clients.installation import Installation
from tests.engines import Engines
from tests.invariants.chat.stranger import Stranger
from tests.invariants.chat.world import World


@pytest.fixture(scope="session")
async def world(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[World]:
    """Victim and stranger."""
    database = await engines.fresh_database("chat")
    installation = Installation(database.url, engines.redis_url)
    await (await installation.tenant()).close()  # nodes without a control plane start from the shard's copies
    for port in free_ports(2):
        await installation.start_node(port)
    superuser = await database.connect()
    world = World(installation, superuser)
    await world.begin()
    yield world
    await world.end()
    await installation.stop()
    await superuser.close()
    await engines.drop_database(database)


@pytest.fixture
async def stranger(world: World) -> AsyncIterator[Stranger]:
    """Who tries."""
    stranger = Stranger(world, world.installation.nodes[0].url)
    yield stranger
    await stranger.http.aclose()
