"""A node and a management server on real ports and real engines, on a thread of their own, for the tests of the API.

They run on their own loop, so that clients that block (schemathesis) and clients that do not can call them.
"""

import asyncio
import dataclasses
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import structlog
import uvicorn

from billing.tenants import open_tenant
from control_plane.credentials.service import create_credential
from data_plane.reference import openapi_document
from kernel.clock import SystemClock
from kernel.contracts import AppSnapshot, SecretKey
from kernel.gcra import rate
from kernel.security import keys
from kernel.security.tokens import mint_access_token
from portal.app import create_app
from tests.clients.installation import Installation, Tenant
from tests.control_plane.fixtures import ACTOR, make_deps
from tests.engines import Engines, TemporaryDatabase
from tests.invariants.rows import SNAPSHOT

T = TypeVar("T")


@dataclass
class Served:
    """An ASGI application behind uvicorn."""

    server: uvicorn.Server
    task: "asyncio.Task[None]"
    url: str


@dataclass
class House:
    """Everything that is served, and the two databases."""

    engines: Engines
    ports: Callable[[int], list[int]]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    served: list[Served] = field(default_factory=list)

    def open(self) -> None:
        """Start the thread, the databases, a node and the management server."""
        threading.Thread(target=self.loop.run_forever, name="house", daemon=True).start()
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the servers' loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    async def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """The same, from another loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    async def chat_database(self) -> TemporaryDatabase:
        """The shard's database, before anybody is connected to it."""
        return await self.engines.fresh_database("chat")

    async def _open(self) -> None:
        self.chat = await self.chat_database()
        self.control = await self.engines.fresh_database("control")
        self.installation = Installation(self.chat.url, self.engines.redis_url)
        await (
            await self.installation.tenant()
        ).close()  # a node without a control plane starts from the shard's copies
        self.node = await self.installation.start_node(self.ports(1)[0])
        # These tests send at full speed from one address; `tests/data_plane/limits` is where limits are tried.
        rates = self.node.node.limiter.address_rates
        rates.update(dict.fromkeys(rates, rate(100_000, 100_000)))
        self.tenant = await self.installation.tenant()
        self.other = await self.installation.tenant()
        deps = make_deps(self.control.url, SystemClock())
        self.deps = dataclasses.replace(deps, openapi=openapi_document())
        self.management = create_app(self.deps)
        self.control_url = (await self.serve(self.management, lifespan="on")).url
        async with self.deps.change(ACTOR) as ctx:
            self.opened = await open_tenant(
                ctx, email="ada@example.com", organization="Analytical", app="Chat", shard="s0", plan="free"
            )
            self.node_credential = await create_credential(ctx, kind="node", name="n1", shard="s0")
            self.relay_credential = await create_credential(ctx, kind="relay", name="s0", shard="s0")

    @property
    def url(self) -> str:
        """The node's address."""
        return self.node.url

    async def serve(self, app: Any, *, lifespan: Any = "off") -> Served:
        """Put an application on a port, as the entrypoints do."""
        port = self.ports(1)[0]
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            loop="none",
            http="httptools",
            lifespan=lifespan,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        self.served.append(Served(server, asyncio.create_task(server.serve()), f"http://127.0.0.1:{port}"))
        while not server.started:
            await asyncio.sleep(0.01)
        return self.served[-1]

    def close(self) -> None:
        """Stop everything."""
        self.run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _close(self) -> None:
        self.management.state.drain()
        for served in self.served:
            served.server.should_exit = True
            await served.task
        await self.installation.stop()
        await self.tenant.close()
        await self.other.close()
        await self.deps.database.close()
        await self.deps.portal_database.close()

    # -- what tests ask for ----------------------------------------------------------------------------------------

    def change(self, tenant: Tenant, **changes: Any) -> AppSnapshot:
        """The tenant's next snapshot, as the node would have pulled it."""
        tenant.snapshot = msgspec.structs.replace(tenant.snapshot, version=tenant.snapshot.version + 1, **changes)
        self.loop.call_soon_threadsafe(self.node.node.snapshots.apply, tenant.snapshot)
        self.run(asyncio.sleep(0))
        return tenant.snapshot

    def add_key(self, tenant: Tenant, *scopes: str, expires_at: datetime | None = None) -> str:
        """Another secret key of the tenant's."""
        secret = keys.generate("sk")
        digest = keys.digest(self.installation.vault.key("secret-keys"), secret)
        number = len(tenant.snapshot.secret_keys) + 1
        key = SecretKey(id=f"key_{number}", digest=digest, scopes=scopes or ("*",), expires_at=expires_at)
        self.change(tenant, secret_keys=(*tenant.snapshot.secret_keys, key))
        return secret

    def token(self, tenant: Tenant, user_id: str, **claims: Any) -> str:
        """A user's access token, signed as the customer's own server would."""
        now = self.installation.clock.now()
        return mint_access_token(
            tenant.snapshot.signing_keys[0],
            app_id=claims.get("app_id", tenant.snapshot.app_id),
            user_id=user_id,
            now=now + claims.get("shift", timedelta()),
            lifetime=claims.get("lifetime", timedelta(hours=1)),
            token_id="t",
        )


def bearer(credential: str) -> dict[str, str]:
    """The header that carries a credential."""
    return {"authorization": f"Bearer {credential}"}


class Logs:
    """What everything in this process said."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.failures: list[str] = []
        """Lines that tell of a defect: errors, and whatever carries a traceback."""

    def keep(self, line: dict[str, Any]) -> None:
        """One more line."""
        self.lines.append(line)
        if line["level"] in ("error", "critical") or line.get("exc_info"):
            self.failures.append(str(line))


@contextmanager
def capture_logs() -> Iterator[Logs]:
    """Keep what structlog and the standard library's loggers say."""
    logs = Logs()
    before = structlog.get_config()

    def keep(_: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        logs.keep({"level": {"exception": "error"}.get(level, level), **event})
        raise structlog.DropEvent

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            line = {"level": record.levelname.lower(), "event": record.getMessage(), "exc_info": record.exc_info}
            logs.keep(line)

    handler = Handler(logging.WARNING)
    logging.getLogger().addHandler(handler)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    try:
        yield logs
    finally:
        structlog.configure(**before)
        logging.getLogger().removeHandler(handler)


BY_THEMSELVES = {"usage_samples", "presence", "standings_due", "entitlements", "apps", "configuration"}
"""Tables that processes write to in their own time: samples of every minute, when users were active, standings that
follow from the ledger."""


class Stored:
    """What every table of a schema holds, as a superuser sees it: the number of rows and a hash over their text."""

    def __init__(self, connection: Any, schema: str, tables: list[str]) -> None:
        self._connection = connection
        # A sum minds no order, so nothing is sorted; a sweep asks this thousands of times.
        rows = "count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text"
        self._query = " union all ".join(f"select '{name}', {rows} from {schema}.\"{name}\" t" for name in tables)
        self._snapshot = ""
        self._known: dict[str, tuple[int, str]] = {}

    @classmethod
    async def of(cls, database: TemporaryDatabase, schema: str) -> "Stored":
        connection = await database.connect()
        found = await connection.fetch("select tablename from pg_tables where schemaname = $1", schema)
        return cls(connection, schema, sorted({row[0] for row in found} - BY_THEMSELVES))

    async def now(self) -> dict[str, tuple[int, str]]:
        """By table."""
        snapshot = await self._connection.fetchval(SNAPSHOT)
        if snapshot != self._snapshot:
            self._snapshot = snapshot
            self._known = {row[0]: (row[1], row[2]) for row in await self._connection.fetch(self._query)}
        return self._known

    async def close(self) -> None:
        await self._connection.close()
