from collections.abc import AsyncIterator

import pytest

from kernel.clock import ManualClock
from tests.control_plane.fixtures import World, make_deps
from tests.engines import TemporaryDatabase


@pytest.fixture
async def world(control_database: TemporaryDatabase) -> AsyncIterator[World]:
    """A control plane under a clock that stands still, on a database of its own."""
    clock = ManualClock()
    deps = make_deps(control_database.url, clock)
    yield World(deps, clock, control_database.superuser_url)
    await deps.database.close()


@pytest.fixture
async def second(control_database: TemporaryDatabase, world: World) -> AsyncIterator[World]:
    """Another control process on the same database."""
    deps = make_deps(control_database.url, world.clock)
    yield World(deps, world.clock, world.admin_url)
    await deps.database.close()
