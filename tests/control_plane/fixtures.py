"""A control plane on a fresh database, for the tests of it and of billing."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx

from billing.app import create_app
from billing.tenants import open_tenant
from control_plane.context import Actor, Context, Deps
from control_plane.credentials.service import create_credential
from control_plane.tenants import NewTenant
from kernel.clock import Clock, ManualClock, SystemClock
from kernel.db import Database
from kernel.ids import Ids, parse_id
from kernel.metrics import CollectorRegistry
from kernel.security.vault import Vault
from kernel.settings import Settings, ShardSettings

ACTOR = Actor("operator:test", "req_test")
MASTER_KEY = Vault.generate_master_key()


def make_deps(url: str, clock: Clock) -> Deps:
    """A process's parts on a migrated database; two calls are two control processes."""
    shards = tuple(ShardSettings(id=name, database_url=url, redis_url="redis://unused") for name in ("s0", "s1"))
    settings = Settings(master_key=MASTER_KEY, database_url=url, shards=shards)
    # Ids keep real time, so that they are unique under a clock that stands still.
    return Deps(
        settings=settings,
        database=Database(url, role="natter_control"),
        vault=Vault(MASTER_KEY),
        clock=clock,
        ids=Ids(SystemClock()),
    )


class World:
    """What a test asks of the control plane, in few words."""

    def __init__(self, deps: Deps, clock: ManualClock, admin_url: str) -> None:
        self.deps = deps
        self.clock = clock
        self.admin_url = admin_url

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Context]:
        async with self.deps.change(ACTOR) as ctx:
            yield ctx

    async def tenant(self, name: str = "Chat", *, shard: str = "s0", plan: str = "free") -> NewTenant:
        async with self.change() as ctx:
            return await open_tenant(
                ctx, email="ada@example.com", organization="Analytical", app=name, shard=shard, plan=plan
            )

    async def credential(self, kind: str, name: str, shard: str = "s0") -> str:
        async with self.change() as ctx:
            return await create_credential(ctx, kind=kind, name=name, shard=shard)  # type: ignore[arg-type]

    @asynccontextmanager
    async def serve(self, deps: Deps | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the whole management application, its background tasks running."""
        # Every application counts for itself, as every process does.
        app = create_app(dataclasses.replace(deps or self.deps, registry=CollectorRegistry()))
        transport = httpx.ASGITransport(app=app)
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://control") as client:
            yield client


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


def app_uuid(tenant: NewTenant) -> UUID:
    return parse_id("app", tenant.app_id)
