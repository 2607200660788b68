"""Engines of a run that leaves nothing behind: private servers with migrated databases, in a folder of their own.

What the tests and `natter chaos` stand on. A database is `.name`, `.url` (as servers connect: login `natter`, no
superuser, member of the roles), `.superuser_url` (sees and may do everything: for looking and planting) and
`await db.connect()`, an asyncpg connection as superuser.
"""

import os
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import asyncpg

from ops.embedded.postgres import Postgres
from ops.embedded.process import Child, start_and_wait, stop_process
from ops.embedded.valkey import Valkey
from ops.migrations import migrate_chat, migrate_control
from ops.ports import free_port

Plane = Literal["control", "chat", "both", "empty"]

LOGIN = "natter"
PASSWORD = "a run's own /password"  # noqa: S105 - of servers that end with the run


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
    """A running engine that may be stopped, killed and started again."""

    engine: Postgres | Valkey
    log: Path
    process: Child

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
    """The servers of this run; the first PostgreSQL and the first Valkey are its own."""

    folder: Path
    bin_dir: Path | None = None
    """PostgreSQL's programs, when not those of the wheel."""
    postgres_settings: dict[str, str] = field(default_factory=dict)
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
        """Another PostgreSQL."""
        return self._run(
            Postgres(
                self._folder("postgres"),
                port=free_port(),
                password="the superuser's",  # noqa: S106
                bin_dir=self.bin_dir,
                copies=self.folder / "programs",
                settings=self.postgres_settings,
            )
        )

    def start_valkey(self, settings: dict[str, str] | None = None) -> Server:
        return self._run(
            Valkey(
                self._folder("valkey"),
                port=free_port(),
                password="valkey-password",  # noqa: S106
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
            # Their data goes with them, so PostgreSQL need not write it out first; Valkey knows no such word.
            word = signal.SIGQUIT if isinstance(server.engine, Postgres) else signal.SIGKILL
            stop_process(server.process, ((word, 10.0),))

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


def reachable_folder(what: str = "test", *, in_memory: bool = False) -> Path:
    """A temporary folder that the engines' user can pass through, which pytest's own folders do not allow.

    In memory, where there is room: the same `fsync` calls, but a test need not wait for a disk.
    """
    memory = Path("/dev/shm")  # noqa: S108
    roomy = in_memory and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4_000_000_000
    folder = Path(tempfile.mkdtemp(prefix=f"natter-{what}-", dir=memory if roomy else None))
    folder.chmod(0o711)
    return folder
