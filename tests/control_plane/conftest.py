from collections.abc import AsyncIterator

import pytest

from kernel.clock import ManualClock
from tests.control_plane.fixtures import World, make_deps


@pytest.fixture
async def world(trial_urls: tuple[str, str]) -> AsyncIterator[World]:
    clock = ManualClock()
    url, admin_url = trial_urls
    deps = make_deps(url, clock)
    yield World(deps, clock, admin_url)
    await deps.database.close()


@pytest.fixture
async def second(trial_urls: tuple[str, str], world: World) -> AsyncIterator[World]:
    """Another control process on the same database."""
    deps = make_deps(trial_urls[0], world.clock)
    yield World(deps, world.clock, world.admin_url)
    await deps.database.close()
