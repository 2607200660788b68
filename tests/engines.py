"""Real engines for tests: one private PostgreSQL and one private Valkey a run, both gone when it ends.

Fixtures (in every test, by name):

`engines`         session. `.postgres` and `.valkey` are the running `ops.embedded` servers, `.redis_url` Valkey's URL;
                  `await engines.fresh_database(plane)` and `await engines.drop_database(db)`;
                  `engines.start_valkey()`, `engines.start_postgres()`: another server, to stop, kill and start again.
`fresh_database`  factory: `db = await fresh_database("control" | "chat" | "both" | "empty")`, dropped after the test.
                  A copy of a migrated template: about 0.1 s.
`control_database`, `chat_database`
                  one fresh migrated database for the test.
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
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest
import redis

from ops.embedded import Postgres, Valkey, start_and_wait, stop_process
from ops.migrations import migrate_chat, migrate_control
from ops.ports import free_port

Plane = Literal["control", "chat", "both", "empty"]

LOGIN = "natter"
PASSWORD = "a test's own /password"


@dataclass(frozen=True, slots=True)
class TemporaryDatabase:
    """A database of the test server."""

    name: str
    url: str
    superuser_url: str

    async def connect(self) -> Any:
        """An asyncpg connection as superuser."""
        return await asyncpg.connect(self.superuser_url)


@dataclass(slots=True)
class Server:
    """A running engine that a test may stop, kill and start again."""

    engine: Postgres | Valkey
    log: Path
    process: "subprocess.Popen[bytes]"

    @classmethod
    def run(cls, engine: Postgres | Valkey) -> "Server":
        log = engine.home.with_suffix(".log")
        return cls(engine, log, start_and_wait(engine, log))

    @property
    def url(self) -> str:
        """The Valkey's URL, or the superuser's of the PostgreSQL."""
        return self.engine.url() if isinstance(self.engine, Valkey) else self.engine.superuser_url()

    def kill(self) -> None:
        """As a crash would end it."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """In good order."""
        stop_process(self.process, self.engine.stop_signals)

    def start(self) -> None:
        """Again, on the same data and port."""
        self.process = start_and_wait(self.engine, self.log)


@dataclass(slots=True)
class Engines:
    """The servers of this run. See the module for what tests use of it."""

    folder: Path
    servers: list[Server] = field(default_factory=list)
    _templates: dict[Plane, str] = field(default_factory=dict)
    _count: int = 0
    _has_login: bool = False

    @property
    def postgres(self) -> Postgres:
        engine = self.servers[0].engine
        assert isinstance(engine, Postgres)
        return engine

    @property
    def valkey(self) -> Valkey:
        engine = self.servers[1].engine
        assert isinstance(engine, Valkey)
        return engine

    @property
    def redis_url(self) -> str:
        return self.valkey.url()

    def start_postgres(self) -> Server:
        bin_dir = os.environ.get("NATTER_TEST_POSTGRES")
        return self._run(
            Postgres(
                self._folder("postgres"),
                port=free_port(),
                password="the superuser's",
                bin_dir=Path(bin_dir) if bin_dir else None,
                copies=self.folder / "programs",
                # A killed server loses nothing without fsync, only a machine that goes down does; tests kill servers.
                settings={"fsync": "off", "full_page_writes": "off"},
            )
        )

    def start_valkey(self, settings: dict[str, str] | None = None) -> Server:
        return self._run(
            Valkey(
                self._folder("valkey"),
                port=free_port(),
                password="valkey-password",
                copies=self.folder / "programs",
                settings=settings,
            )
        )

    async def fresh_database(self, plane: Plane) -> TemporaryDatabase:
        if not self._has_login:
            password = PASSWORD.replace("'", "''")
            await self._as_superuser(f"create role {LOGIN} login noinherit password '{password}'")
            self._has_login = True
        name = f"{plane}_{self._next()}"
        template = "template1" if plane == "empty" else await self._template(plane)
        await self._create(name, template)
        return self._handle(name)

    async def drop_database(self, database: TemporaryDatabase) -> None:
        await self._as_superuser(f'drop database if exists "{database.name}" with (force)')

    def stop(self) -> None:
        for server in reversed(self.servers):
            # Their data goes with them: PostgreSQL need not write it out first.
            stop_process(server.process, ((signal.SIGQUIT, 10.0),))

    async def _template(self, plane: Plane) -> str:
        if plane not in self._templates:
            name = f"template_{plane}"
            await self._create(name, "template1")
            url = self.postgres.superuser_url(name)
            if plane in ("control", "both"):
                await migrate_control(url, LOGIN)
            if plane in ("chat", "both"):
                await migrate_chat(url, LOGIN)
            self._templates[plane] = name
        return self._templates[plane]

    async def _create(self, name: str, template: str) -> None:
        # Copying files is quicker here than writing every page to the log.
        await self._as_superuser(f'create database "{name}" template "{template}" strategy file_copy')

    async def _as_superuser(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres.superuser_url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _handle(self, name: str) -> TemporaryDatabase:
        postgres = self.postgres
        return TemporaryDatabase(name, postgres.url(LOGIN, PASSWORD, name), postgres.superuser_url(name))

    def _run(self, engine: Postgres | Valkey) -> Server:
        server = Server.run(engine)
        self.servers.append(server)
        return server

    def _folder(self, kind: str) -> Path:
        return self.folder / f"{kind}{self._next()}"

    def _next(self) -> int:
        self._count += 1
        return self._count


def reachable_folder(*, in_memory: bool = False) -> Path:
    """A temporary folder that the engines' user can pass through, which pytest's own folders do not allow.

    In memory, where there is room: the same `fsync` calls, but a test need not wait for a disk.
    """
    memory = Path("/dev/shm")
    roomy = in_memory and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4_000_000_000
    folder = Path(tempfile.mkdtemp(prefix="natter-test-", dir=memory if roomy else None))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """One PostgreSQL and one Valkey for the whole run."""
    engines = Engines(reachable_folder(in_memory=True))
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
