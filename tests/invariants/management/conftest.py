"""One server with everybody on it, for the whole folder."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.engines import Engines
from tests.invariants.management.visits import Visits
from tests.invariants.management.world import World, client


@pytest.fixture(scope="session")
async def world(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[World]:
    """Victim, stranger, and the others."""
    database = await engines.fresh_database("control")
    superuser = await database.connect()
    world = World(database, superuser)
    await world.begin(free_ports(1)[0])
    yield world
    await world.end()
    await superuser.close()
    await engines.drop_database(database)


@pytest.fixture
async def visits(world: World) -> AsyncIterator[Visits]:
    """Browsers that visit the server."""
    async with client(world) as http:
        yield Visits(world, http)
