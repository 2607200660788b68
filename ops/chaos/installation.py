"""A whole installation in real processes, to be killed: PostgreSQL, Valkey, control plane, nodes, worker.

Every part has a name (`postgres`, `valkey`, `control`, `n1`, `n2`, `worker`). What dies is started again by the
supervisor in here, unless it was stopped on purpose. Each node reaches PostgreSQL and Redis through a proxy of its own,
so that a network can be broken for one of them alone.
"""

import asyncio
import os
import random
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from billing.tenants import open_tenant
from control_plane.apps.service import suspend_app
from control_plane.context import Actor, Deps
from control_plane.credentials.service import create_credential
from kernel.db import Database
from kernel.ids import parse_id
from kernel.security.vault import Vault
from kernel.settings import Settings, ShardSettings
from ops.chaos.proxy import Proxy
from ops.chaos.tamper import Tampering
from ops.embedded import Launch, Postgres, Valkey
from ops.embedded.process import Child
from ops.embedded.temporary import Engines, TemporaryDatabase
from ops.environment import environment_of
from ops.nursery import BlockingNursery
from ops.ports import free_port

ROOT = Path(__file__).parents[2]
NATTER = ("natter",)
"""Natter itself, forked from a process that has loaded it: a part that was killed is back at once."""
NODES = ("n1", "n2")
SERVERS = ("postgres", "valkey")
PORTS = (23_000, 24_000)
READY_SECONDS = 60.0
_BUSY = """
    select pid, state, wait_event_type, wait_event, pg_blocking_pids(pid) as behind, now() - xact_start as open_for,
           now() - state_change as so_for, client_port, left(regexp_replace(query, '\\s+', ' ', 'g'), 160) as query
    from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    order by xact_start nulls last limit 40
"""

Start = Callable[[], Child]
IsReady = Callable[["Part"], Awaitable[bool]]


@dataclass(slots=True)
class Part:
    """One process by name. `wanted`: the supervisor starts it again when it has died, after `pause` seconds."""

    name: str
    start: Start
    is_ready: IsReady
    child: Child | None = None
    wanted: bool = False
    starts: int = 0
    dead_since: float | None = None
    pause: float = 0.0

    @property
    def alive(self) -> bool:
        return self.child is not None and self.child.poll() is None


@dataclass(frozen=True, slots=True)
class Tenant:
    """An app with the keys its developer gets."""

    name: str
    app_id: str
    secret_key: str
    publishable_key: str


class Installation:
    """The running whole. Made by `installation()`."""

    def __init__(self, engines: Engines, control_database: TemporaryDatabase, chat_database: TemporaryDatabase) -> None:
        self.engines = engines
        self.folder = engines.folder
        self.control_database = control_database
        self.chat_database = chat_database
        self.parts: dict[str, Part] = {}
        self._programs: dict[str, tuple[str, ...]] = {}
        self._nursery = BlockingNursery(self.folder / "nursery.log")
        self.http = httpx.AsyncClient(trust_env=False, timeout=5.0)
        ports: list[int] = []
        for _ in range(1 + 3 * len(NODES)):
            ports.append(free_port(ports, lowest=PORTS[0], highest=PORTS[1]))
        left = iter(ports[1:])
        self.control_url = f"http://127.0.0.1:{ports[0]}"
        self.node_urls = {name: f"http://127.0.0.1:{next(left)}" for name in NODES}
        self.tampering = {name: Tampering(random.Random(name)) for name in NODES}
        """What happens to the bus messages that a node gets."""
        self.proxies = {(name, "postgres"): Proxy(next(left), engines.postgres.port) for name in NODES} | {
            (name, "valkey"): Proxy(next(left), engines.valkey.port, make_filter=self.tampering[name].filter)
            for name in NODES
        }
        """By node and server: the way from the one to the other."""
        self.settings = Settings(
            data_dir=self.folder,
            master_key=Vault.generate_master_key(),
            database_url=control_database.url,
            redis_url=engines.redis_url,
            shards=(ShardSettings(id="s0", database_url=chat_database.url, redis_url=engines.redis_url),),
            control_url=self.control_url,
            control_port=ports[0],
            database_pool=8,
        )
        self._deps = Deps(
            settings=self.settings,
            database=Database(control_database.url, role="natter_control"),
            portal_database=Database(control_database.url, role="natter_portal"),
            vault=Vault(self.settings.master_key),
        )
        self._supervisor: asyncio.Task[None] | None = None
        self.clock_ahead = 0.0
        """Seconds by which the clock of a Natter process that starts from now on is ahead of the machine's."""

    # -- the whole ---------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start everything and wait until it is ready."""
        for proxy in self.proxies.values():
            await proxy.start()
        for server in self.engines.servers:
            engine = server.engine
            name = "postgres" if isinstance(engine, Postgres) else "valkey"
            self.parts[name] = Part(
                name, _engine_start(engine, server.log), _engine_ready(engine), server.process, True
            )
        self._add("control", "control", self.settings, self._answers(self.control_url))
        for name, url in self.node_urls.items():
            node = replace(
                self.settings,
                node_name=name,
                node_port=int(url.rpartition(":")[2]),
                public_url=url,
                credential=await self.credential("node", name),
                shards=(
                    ShardSettings(
                        id="s0",
                        database_url=_through(self.chat_database.url, self.proxies[name, "postgres"]),
                        redis_url=_through(self.engines.redis_url, self.proxies[name, "valkey"]),
                    ),
                ),
            )
            self._add(name, "node", node, self._answers(url))
        worker = replace(self.settings, credential=await self.credential("relay", "s0"))
        self._add("worker", "worker", worker, _lives)
        self.start("control", *NODES, "worker")
        self._supervisor = asyncio.create_task(self._supervise(), name="supervisor")
        await self.ready()

    async def end(self) -> None:
        """Stop everything."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        await self.http.aclose()
        await self._deps.close()
        for proxy in self.proxies.values():
            await proxy.stop()
        for part in self.parts.values():
            part.wanted = False
            self.send(part.name, signal.SIGCONT)
            if part.name not in SERVERS and part.child is not None and part.alive:
                part.child.kill()
                part.child.wait()
        self._nursery.close()
        for server in self.engines.servers:
            name = "postgres" if isinstance(server.engine, Postgres) else "valkey"
            if name in self.parts:
                server.process = self.parts[name].child or server.process
        self.engines.stop()

    # -- parts by name -----------------------------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Start parts that do not run, and keep them running."""
        for name in names:
            part = self.parts[name]
            part.wanted = True
            if not part.alive:
                part.child = part.start()
                part.starts += 1
                part.dead_since = None

    def kill(self, name: str, *, pause: float = 0.0) -> None:
        """`kill -9`. The supervisor starts it again after `pause` seconds.

        PostgreSQL gets its own word for a crash: it ends its children too, which `kill -9` of the parent would orphan.
        """
        part = self.parts[name]
        part.pause = pause
        if part.child is not None and part.alive:
            part.child.send_signal(signal.SIGQUIT if name == "postgres" else signal.SIGKILL)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the whole of it: PostgreSQL is many processes, and its first would not stop the others."""
        child = self.parts[name].child
        if child is None or not self.parts[name].alive:
            return
        for pid in (child.pid, *_descendants(child.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    async def stop(self, name: str, *, force: signal.Signals = signal.SIGTERM) -> None:
        """End it and leave it ended."""
        part = self.parts[name]
        part.wanted = False
        if part.child is not None and part.alive:
            # PostgreSQL's word for an end in good order that does not wait for its clients.
            part.child.send_signal(signal.SIGINT if name == "postgres" and force == signal.SIGTERM else force)
            await asyncio.to_thread(part.child.wait, 40)

    async def programs(self, **wanted: tuple[str, ...]) -> None:
        """Let each Natter process be the program named here, or else Natter, and wait until all is ready."""
        changed = [name for name in self._programs if self._programs[name] != wanted.get(name, NATTER)]
        for name in changed:
            await self.stop(name, force=signal.SIGKILL)
            self._programs[name] = wanted.get(name, NATTER)
        self.start(*self.parts)
        await self.ready()

    async def move_clock(self, ahead: float) -> None:
        """`kill -9` of every Natter process that runs, and again with a clock that is so many seconds ahead of the
        machine's, for as long as nobody moves it back."""
        self.clock_ahead = ahead
        names = [name for name, part in self.parts.items() if name not in SERVERS and part.wanted]
        for name in names:
            await self.stop(name, force=signal.SIGKILL)
        self.start(*names)
        await self.ready(*names)

    async def ready(self, *names: str, seconds: float = READY_SECONDS) -> None:
        """Wait until the parts (default: all that are wanted) run and answer. Raises `TimeoutError` with their logs."""
        deadline = time.monotonic() + seconds
        for part in [self.parts[name] for name in names] or [p for p in self.parts.values() if p.wanted]:
            while not (part.alive and await part.is_ready(part)):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{part.name} is not ready after {seconds:.0f} s:\n{self.log_of(part.name)}")
                await asyncio.sleep(0.05)

    def log_of(self, name: str, lines: int = 25) -> str:
        """The end of a part's log."""
        with suppress(OSError):
            return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"

    async def busy_with(self) -> str:
        """What the database's sessions do and who waits for whom, and the ends of the nodes' logs: for a report about
        what nobody answered."""
        try:
            connection = await self.chat_database.connect()
            try:
                rows = await connection.fetch(_BUSY)
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError) as error:
            said = [f"the database does not answer: {error!r}"]
        else:
            said = [" ".join(f"{key}={value}" for key, value in row.items()) for row in rows]
        return "\n".join([*said, *(f"-- {name}\n{self.log_of(name, 12)}" for name in self.node_urls)])

    # -- tenants -----------------------------------------------------------------------------------------------------

    async def credential(self, kind: str, name: str) -> str:
        async with self._deps.change(Actor("operator:scenario")) as ctx:
            return await create_credential(ctx, kind=kind, name=name, shard="s0")  # type: ignore[arg-type]

    async def tenants(self, *names: str) -> list[Tenant]:
        """New apps, known to every node that runs, on the plan whose rates stand in nobody's way."""
        made = []
        for name in names:
            async with self._deps.change(Actor("operator:scenario")) as ctx:
                app = await open_tenant(
                    ctx, email="ada@example.com", organization="Scenarios", app=name, plan="enterprise"
                )
            made.append(Tenant(name, app.app_id, app.secret_key, app.publishable_key))
        for url in self.node_urls.values():
            for tenant in made:
                await self._known(url, tenant)
        return made

    async def suspend(self, tenant: Tenant) -> None:
        """Suspend an app, and wait until every node refuses it."""
        async with self._deps.change(Actor("operator:scenario")) as ctx:
            await suspend_app(ctx, parse_id("app", tenant.app_id), reason="a scenario")
        deadline = time.monotonic() + READY_SECONDS
        while set(await self.answers(tenant)) != {403}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{tenant.name} is not suspended everywhere after {READY_SECONDS:.0f} s")
            await asyncio.sleep(0.05)

    async def answers(self, tenant: Tenant) -> list[int]:
        """The status with which each node answers the app's server."""
        headers = {"authorization": f"Bearer {tenant.secret_key}"}
        return [
            (await self.http.get(f"{url}/v1/channels", headers=headers)).status_code for url in self.node_urls.values()
        ]

    async def _known(self, url: str, tenant: Tenant) -> None:
        deadline = time.monotonic() + READY_SECONDS
        headers = {"authorization": f"Bearer {tenant.secret_key}"}
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if (await self.http.get(f"{url}/v1/channels", headers=headers)).status_code == 200:
                    return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{url} does not know {tenant.name} after {READY_SECONDS:.0f} s")

    # -- inside ------------------------------------------------------------------------------------------------------

    def _add(self, name: str, command: str, settings: Settings, is_ready: IsReady) -> None:
        self._programs[name] = NATTER
        env = environment_of(settings)

        def start() -> Child:
            log = self.folder / f"{name}.log"
            program = self._programs[name]
            if program == NATTER:
                return self._nursery.start([command], env, log, clock_ahead=self.clock_ahead)
            return Launch(argv=(*program, command), env=env, cwd=ROOT, death_signal=signal.SIGKILL).start(log)

        self.parts[name] = Part(name, start, is_ready)

    def _answers(self, url: str) -> IsReady:
        async def ask(_: Part) -> bool:
            with suppress(httpx.HTTPError):
                return (await self.http.get(url + "/readyz")).status_code == 200
            return False

        return ask

    async def _supervise(self) -> None:
        while True:
            now = time.monotonic()
            for part in self.parts.values():
                if not part.wanted or part.alive:
                    continue
                if part.dead_since is None:
                    part.dead_since = now
                elif now - part.dead_since >= part.pause:
                    # Starting blocks for a moment (fork), as it must: the system ties a child to the thread.
                    self.start(part.name)
            await asyncio.sleep(0.05)


def _engine_start(engine: Postgres | Valkey, log: Path) -> Start:
    def start() -> Child:
        engine.prepare()
        return engine.launch().start(log)

    return start


def _engine_ready(engine: Postgres | Valkey) -> IsReady:
    async def ask(part: Part) -> bool:
        return part.child is not None and await asyncio.to_thread(engine.is_ready, part.child.pid)

    return ask


async def _lives(part: Part) -> bool:
    return part.alive


def _through(url: str, proxy: Proxy) -> str:
    """The same URL with the proxy in the server's place."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")))


def _descendants(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    return found


@asynccontextmanager
async def installation(engines: Engines) -> AsyncIterator[Installation]:
    """Everything running, on fresh databases of engines that are not started yet; everything gone at the end, but for
    the folder with the logs when `NATTER_TEST_KEEP_LOGS` is set."""
    try:
        engines.start_postgres()
        engines.start_valkey()
        whole = Installation(engines, await engines.fresh_database("control"), await engines.fresh_database("chat"))
    except BaseException:
        engines.stop()
        shutil.rmtree(engines.folder, ignore_errors=True)
        raise
    try:
        await whole.begin()
        yield whole
    finally:
        await whole.end()
        if not os.environ.get("NATTER_TEST_KEEP_LOGS"):
            shutil.rmtree(engines.folder, ignore_errors=True)
