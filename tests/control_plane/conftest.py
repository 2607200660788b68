from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.clock import ManualClock
from tests.control_plane.fixtures import World, make_deps
from tests.control_plane.site import Site, site_in
from tests.emptied import Spare
from tests.engines import Engines


@pytest.fixture
async def world(spare_database: Spare) -> AsyncIterator[World]:
    """A control plane under a clock that stands still, on a database with nothing in it."""
    clock = ManualClock()
    async with spare_database.lent() as database:
        deps = make_deps(database.handle.url, clock)
        deps = replace(deps, database=database.control, portal_database=database.portal)
        yield World(deps, clock, database.handle.superuser_url)


@pytest.fixture
async def second(world: World) -> AsyncIterator[World]:
    """Another control process on the same database."""
    deps = make_deps(world.deps.database.url, world.clock)
    yield World(deps, world.clock, world.admin_url)
    await deps.close()


@pytest.fixture(scope="module")
async def shared_world(engines: Engines) -> AsyncIterator[World]:
    """One for all of a module's tests that leave nothing behind, or nothing that another one minds."""
    database = await engines.fresh_database("control")
    clock = ManualClock()
    deps = make_deps(database.url, clock)
    yield World(deps, clock, database.superuser_url)
    await deps.close()
    await engines.drop_database(database)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A web site over TLS that answers as the test wishes."""
    async with site_in(tmp_path) as site:
        yield site
