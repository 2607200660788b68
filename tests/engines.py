"""Real engines for tests: one private PostgreSQL and one private Valkey a run, both gone when it ends.

Fixtures (in every test, by name):

`engines`         session. `.postgres` and `.valkey` are the running `ops.embedded` servers, `.redis_url` Valkey's URL;
                  `await engines.fresh_database(plane)` and `await engines.drop_database(db)`;
                  `engines.start_valkey()`, `engines.start_postgres()`: another server, to stop, kill and start again.
`fresh_database`  factory: `db = await fresh_database("control" | "chat" | "both" | "empty")`, dropped after the test.
                  A copy of a migrated template: about 0.1 s.
`control_database`, `chat_database`
                  one fresh migrated database for the test.
`world`, `portal` of the control plane's tests stand on a database that is emptied in between: `tests/emptied.py`.
`redis_url`       the run's Valkey, emptied. Pub/sub knows no database numbers: for two at once use `fresh_valkey`.
`fresh_valkey`    factory: `server = fresh_valkey()`, a Valkey of its own with `.url`, `.kill()`, `.stop()`, `.start()`.
`free_ports`      factory: `free_ports(3)`, ports below 22000 that nobody listens on, each handed out once.

A database is `.name`, `.url` (as servers connect: login `natter`, no superuser, member of the three roles; give it to
`Database(db.url, role="natter_…")`), `.superuser_url` (sees and may do everything: for looking and planting) and
`await db.connect()`, an asyncpg connection as superuser.

`NATTER_TEST_POSTGRES=/usr/lib/postgresql/15/bin` runs everything on that server instead.
"""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis

from ops.embedded.temporary import PASSWORD, Engines, Plane, Server, TemporaryDatabase, reachable_folder
from ops.ports import free_port

__all__ = ["PASSWORD", "Engines", "Plane", "Server", "TemporaryDatabase", "engines_of_tests", "reachable_folder"]


def engines_of_tests(*, in_memory: bool = False) -> Engines:
    """Engines as tests want them: none is started yet."""
    bin_dir = os.environ.get("NATTER_TEST_POSTGRES")
    return Engines(
        reachable_folder(in_memory=in_memory),
        bin_dir=Path(bin_dir) if bin_dir else None,
        # A killed server loses nothing without fsync, only a machine that goes down does; tests kill servers.
        # Statistics are as a test makes them: nobody renews them in between on a machine that takes its time.
        postgres_settings={"fsync": "off", "full_page_writes": "off", "autovacuum": "off"},
    )


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """One PostgreSQL and one Valkey for the whole run."""
    engines = engines_of_tests(in_memory=True)
    try:
        engines.start_postgres()
        engines.start_valkey()
        yield engines
    finally:
        engines.stop()
        shutil.rmtree(engines.folder, ignore_errors=True)


@pytest.fixture
async def fresh_database(engines: Engines) -> AsyncIterator[Callable[[Plane], Awaitable[TemporaryDatabase]]]:
    """Make migrated databases; they are dropped after the test."""
    made: list[TemporaryDatabase] = []

    async def make(plane: Plane = "chat") -> TemporaryDatabase:
        made.append(await engines.fresh_database(plane))
        return made[-1]

    yield make
    for database in made:
        await engines.drop_database(database)


@pytest.fixture
async def control_database(fresh_database: Callable[[Plane], Awaitable[TemporaryDatabase]]) -> TemporaryDatabase:
    """A migrated database of the control plane."""
    return await fresh_database("control")


@pytest.fixture
async def chat_database(fresh_database: Callable[[Plane], Awaitable[TemporaryDatabase]]) -> TemporaryDatabase:
    """A migrated database of a shard."""
    return await fresh_database("chat")


@pytest.fixture
def redis_url(engines: Engines) -> str:
    """The run's Valkey, emptied."""
    with redis.Redis.from_url(engines.redis_url) as client:
        client.flushall()
    return engines.redis_url


@pytest.fixture
def fresh_valkey(engines: Engines) -> Iterator[Callable[[], Server]]:
    """Start Valkey servers of the test's own."""
    made: list[Server] = []

    def make() -> Server:
        made.append(engines.start_valkey())
        return made[-1]

    yield make
    for server in made:
        server.kill()
        engines.servers.remove(server)


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """Hand out ports, each once in a run."""
    handed_out: set[int] = set()

    def hand_out(count: int) -> list[int]:
        ports: list[int] = []
        for _ in range(count):
            ports.append(free_port(handed_out))
            handed_out.add(ports[-1])
        return ports

    return hand_out
