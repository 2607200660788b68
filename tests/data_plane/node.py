"""A node's tenancy and identity on a shard of its own, with real engines and HTTP over real sockets.

Fixtures `node`, `api` and `serve`; a folder's conftest imports those that its tests use.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
import uvicorn
from litestar.di import Provide

from data_plane.grants.store import GrantStore
from data_plane.identity.activity import ActivityTracker
from data_plane.identity.authenticate import Authenticator, provide_caller
from data_plane.identity.revocations import Revocations
from data_plane.identity.tokens.routes import ROUTES as TOKEN_ROUTES
from data_plane.identity.tokens.service import TokenService
from data_plane.log import Entry, LogReader, LogWriter
from data_plane.shard import Shard
from data_plane.tenancy.store import SnapshotStore
from data_plane.users.routes import ROUTES as USER_ROUTES
from kernel.clock import ManualClock
from kernel.contracts import AppSnapshot, SecretKey, SigningKey
from kernel.db import Database
from kernel.http import build_app
from kernel.ids import Ids, format_id
from kernel.outbox import Outbox
from kernel.security import keys
from kernel.security.tokens import mint_access_token
from kernel.security.vault import Vault

START = datetime(2026, 3, 10, 9, 0, 0, 123_000, tzinfo=UTC)
HS_SECRET = "s3cret-s3cret-s3cret-s3cret-s3cret"
TABLES = (
    "users",
    "log_heads",
    "events",
    "commits",
    "active_users",
    "usage_outbox",
    "usage_samples",
    "refresh_tokens",
    "idempotency_keys",
    "app_snapshots",
    "words",
    "field_values",
    "field_indexes",
    "blocks",
    "reactions",
    "thread_members",
    "mentions",
    "message_edits",
    "pins",
    "hidden_messages",
    "outbox",
)


@dataclass
class Tenant:
    """An app and the keys that its customer holds."""

    snapshot: AppSnapshot
    app_id: UUID
    secret_key: str
    publishable_key: str


@dataclass
class Node:
    """The parts, wired as a node wires them, with a clock that stands still."""

    shard: Shard
    clock: ManualClock
    vault: Vault
    store: SnapshotStore
    revocations: Revocations
    activity: ActivityTracker
    authenticator: Authenticator
    tokens: TokenService
    system: Database
    published: list[Entry]
    signalled: list[tuple[UUID, str, datetime]]
    tenants: list[Tenant] = field(default_factory=list)

    @property
    def tenant(self) -> Tenant:
        """The first app."""
        return self.tenants[0]

    def add_tenant(self, **changes: Any) -> Tenant:
        """A new app in the store."""
        app_id = self.shard.ids.uuid7()
        secret, publishable = keys.generate("sk"), keys.generate("pk")
        snapshot = AppSnapshot(
            app_id=format_id("app", app_id),
            organization_id=format_id("org", app_id),
            version=len(self.tenants) + 1,
            shard=self.shard.id,
            environment="production",
            status="active",
            publishable_keys=(publishable,),
            secret_keys=(SecretKey(id="key_1", digest=keys.digest(self.vault.key("secret-keys"), secret)),),
            signing_keys=(SigningKey(kid="k1", algorithm="HS256", key=HS_SECRET, mint=True),),
        )
        tenant = Tenant(msgspec.structs.replace(snapshot, **changes), app_id, secret, publishable)
        self.store.apply(tenant.snapshot)
        self.tenants.append(tenant)
        return tenant

    def change(self, tenant: Tenant, **changes: Any) -> AppSnapshot:
        """The tenant's next snapshot, applied."""
        version = max(item.version for item in self.store) + 1
        tenant.snapshot = msgspec.structs.replace(tenant.snapshot, version=version, **changes)
        self.store.apply(tenant.snapshot)
        return tenant.snapshot

    def user_token(self, user_id: str, tenant: Tenant | None = None, lifetime: timedelta = timedelta(hours=1)) -> str:
        """An access token as the customer's own server would sign it."""
        snapshot = (tenant or self.tenant).snapshot
        return mint_access_token(
            snapshot.signing_keys[0],
            app_id=snapshot.app_id,
            user_id=user_id,
            now=self.clock.now(),
            lifetime=lifetime,
            token_id="t",
        )

    def server(self, tenant: Tenant | None = None) -> dict[str, str]:
        """Headers of a call by the customer's server."""
        return {"authorization": f"Bearer {(tenant or self.tenant).secret_key}"}

    def user(self, user_id: str, tenant: Tenant | None = None) -> dict[str, str]:
        """Headers of a call by a user."""
        return {"authorization": f"Bearer {self.user_token(user_id, tenant)}"}

    async def rows(self, query: str, *args: Any) -> list[dict[str, Any]]:
        """Rows as the engine role sees them: of every tenant."""
        pool = await self.system.pool()
        return [dict(row) for row in await pool.fetch(query, *args)]


@pytest.fixture(scope="session")
async def node_database(engines: Any) -> AsyncIterator[tuple[Database, Database]]:
    """Tenant's and system's connections to one shard for all of these tests, emptied before each: quicker than a
    database and connections a test."""
    url = (await engines.fresh_database("chat")).url
    tenant, system = Database(url, role="natter_app"), Database(url, role="natter_engine", pool_size=12)
    yield tenant, system
    await tenant.close()
    await system.close()


@pytest.fixture
async def node(node_database: tuple[Database, Database]) -> Node:
    """A node on an empty shard with one tenant."""
    clock, vault = ManualClock(START), Vault(Vault.generate_master_key())
    tenant, system = node_database
    pool = await system.pool()
    await pool.execute("".join(f"delete from chat.{table};" for table in TABLES))
    epoch = await pool.fetchval("select epoch from chat.shard")
    published: list[Entry] = []
    shard = Shard(
        id="s0",
        epoch=epoch,
        tenant=tenant,
        system=system,
        logs=LogWriter(epoch, published.extend),
        reader=LogReader(system, epoch),
        grants=GrantStore(system),
        outbox=Outbox("chat"),
        clock=clock,
        ids=Ids(clock),
        vault=vault,
    )
    store, revocations = SnapshotStore(), Revocations(system, clock)
    signalled: list[tuple[UUID, str, datetime]] = []
    node = Node(
        shard=shard,
        clock=clock,
        vault=vault,
        store=store,
        revocations=revocations,
        activity=ActivityTracker(system, clock),
        authenticator=Authenticator(store, revocations, vault, clock),
        tokens=TokenService(shard, store, revocations, lambda *what: signalled.append(what)),
        system=system,
        published=published,
        signalled=signalled,
    )
    revocations.on_revoked(lambda app_id, user_id, _: node.activity.forget(app_id, user_id))
    node.add_tenant()
    return node


class Served:
    """An ASGI application behind a real socket."""

    def __init__(self, app: Any, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return once it answers."""
        # Only the serving; signals belong to the test runner.
        self._task = asyncio.create_task(self._server._serve([self._listener]))
        while not self._server.started:
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Close the port; may be called twice."""
        task, self._task = self._task, None
        if task is not None:
            self._server.should_exit = True
            await task
            self._listener.close()


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve(asgi_app, port=0)` runs it until the test ends or its `stop`."""
    running: list[Served] = []

    async def start(app: Any, port: int = 0) -> Served:
        served = Served(app, port)
        await served.start()
        running.append(served)
        return served

    yield start
    for served in running:
        await served.stop()


@pytest.fixture
async def api(node: Node, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the token and user routes, served as a node serves them."""

    def value(thing: Any) -> Provide:
        return Provide(lambda: thing, sync_to_thread=False)

    app = build_app(
        routes=[*TOKEN_ROUTES, *USER_ROUTES],
        dependencies={
            "caller": Provide(provide_caller),
            "authenticator": value(node.authenticator),
            "activity": value(node.activity),
            "shard": value(node.shard),
            "tokens": value(node.tokens),
        },
        clock=node.clock,
        ids=node.shard.ids,
    )
    async with httpx.AsyncClient(base_url=(await serve(app)).url, trust_env=False) as client:
        yield client
