"""A shard on a real database, with as many apps as a test wants. See `world.py`."""

from collections.abc import AsyncIterator

import pytest

from data_plane.grants.store import GrantStore
from data_plane.log import Entry, LogReader, LogWriter
from data_plane.shard import Shard
from kernel.clock import ManualClock
from kernel.db import Database
from kernel.ids import Ids
from kernel.outbox import Outbox
from kernel.security.vault import Vault
from tests.data_plane.world import App, World
from tests.engines import Engines, TemporaryDatabase


@pytest.fixture(scope="session")
async def shard_database(engines: Engines) -> TemporaryDatabase:
    """One database for all tests, because every test has apps of its own."""
    return await engines.fresh_database("chat")


@pytest.fixture(scope="session")
async def shard_databases(shard_database: TemporaryDatabase) -> AsyncIterator[tuple[Database, Database]]:
    """Tenant and system connections to it."""
    tenant, system = (Database(shard_database.url, role=role) for role in ("natter_app", "natter_engine"))
    yield tenant, system
    await tenant.close()
    await system.close()


@pytest.fixture
async def world(shard_databases: tuple[Database, Database]) -> AsyncIterator[World]:
    """A shard with nothing of this test's apps in it."""
    tenant, system = shard_databases
    published: list[Entry] = []
    clock = ManualClock()
    shard = Shard(
        id="s0",
        epoch="test",
        tenant=tenant,
        system=system,
        logs=LogWriter("test", published.extend),
        reader=LogReader(system, "test"),
        grants=GrantStore(system),
        outbox=Outbox("chat"),
        clock=clock,
        ids=Ids(),
        vault=Vault(Vault.generate_master_key()),
    )
    world = World(shard, clock, published)
    yield world
    await world.http.aclose()


@pytest.fixture
def app(world: World) -> App:
    """One tenant."""
    return world.app()
