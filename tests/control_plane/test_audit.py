"""Every use case that changes something writes an audit entry in its transaction, and no entry can be altered."""

import contextlib
import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import asyncpg
import pytest
from litestar.routes import HTTPRoute
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import billing
import control_plane
from billing.app import create_app
from billing.plans import load_catalog
from billing.tenants import open_tenant
from billing.usage.ingest import ingest
from billing.usage.quarantine import release_quarantined
from control_plane.apps.service import change_plan, create_app_record, resume_app, set_allowed_origins, suspend_app
from control_plane.context import Context
from control_plane.credentials.service import authenticate, create_credential, revoke_credential
from control_plane.keys.api_keys import (
    create_publishable_key,
    create_secret_key,
    revoke_api_key,
    rotate_secret_key,
)
from control_plane.keys.signing_keys import add_public_key, create_signing_secret, revoke_signing_key
from control_plane.organizations.service import open_organization
from control_plane.tenants import create_tenant
from kernel.contracts import UsageReport, UsageRow
from tests.control_plane.fixtures import World, app_uuid

PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----"""


def mutating_use_cases(*packages: ModuleType) -> dict[str, Any]:
    """Public coroutines whose first argument is a `Context`: by convention these change something."""
    found = {}
    for package in packages:
        for module_info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            module = importlib.import_module(module_info.name)
            for name, function in inspect.getmembers(module, inspect.iscoroutinefunction):
                first = next(iter(inspect.signature(function).parameters.values()), None)
                own = function.__module__ == module.__name__ and not name.startswith("_")
                if own and first is not None and first.annotation in (Context, "Context"):
                    found[f"{module.__name__}.{name}"] = function
    # It writes the entries.
    del found["control_plane.audit.service.record"]
    return found


FREE = load_catalog().newest("free").grant()
GROWTH = load_catalog().newest("growth").grant()

Call = Callable[[Context, World], Awaitable[Any]]


async def _app(ctx: Context) -> Any:
    return (await ctx.session.execute(text("select id from control.apps limit 1"))).scalar_one()


async def _key(ctx: Context) -> Any:
    return (await ctx.session.execute(text("select id from control.api_keys where kind = 'secret'"))).scalar_one()


async def _revoke_signing_key(ctx: Context, _: World) -> None:
    await revoke_signing_key(ctx, await _app(ctx), "old")


async def _release(ctx: Context, _: World) -> None:
    await release_quarantined(ctx, source="relay:s0", boot="b", seq=1)


async def _create_app(ctx: Context, _: World) -> None:
    organization = await open_organization(ctx, email="ada@example.com", name="Analytical")
    await create_app_record(ctx, organization, name="Another", environment="production", plan=FREE)


CALLS: dict[Any, Call] = {
    open_organization: lambda ctx, _: open_organization(ctx, email="new@example.com", name="New"),
    create_app_record: _create_app,
    create_tenant: lambda ctx, _: create_tenant(ctx, email="x@example.com", organization="X", app="X", plan=FREE),
    open_tenant: lambda ctx, _: open_tenant(ctx, email="x@example.com", organization="X", app="X"),
    suspend_app: lambda ctx, _: _on_app(ctx, suspend_app, reason="unpaid"),
    resume_app: lambda ctx, _: _on_app(ctx, resume_app),
    set_allowed_origins: lambda ctx, _: _on_app(ctx, set_allowed_origins, ["https://a.example"]),
    change_plan: lambda ctx, _: _on_app(ctx, change_plan, GROWTH),
    create_publishable_key: lambda ctx, _: _on_app(ctx, create_publishable_key),
    create_secret_key: lambda ctx, _: _on_app(ctx, create_secret_key),
    rotate_secret_key: lambda ctx, _: _on_key(ctx, rotate_secret_key, overlap=timedelta()),
    revoke_api_key: lambda ctx, _: _on_key(ctx, revoke_api_key),
    create_signing_secret: lambda ctx, _: _on_app(ctx, create_signing_secret, mint=True),
    add_public_key: lambda ctx, _: _on_app(ctx, add_public_key, PEM),
    revoke_signing_key: _revoke_signing_key,
    create_credential: lambda ctx, _: create_credential(ctx, kind="node", name="n2", shard="s0"),
    revoke_credential: lambda ctx, _: revoke_credential(ctx, kind="relay", name="r"),
    release_quarantined: _release,
}


async def _on_app(ctx: Context, use_case: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> None:
    await use_case(ctx, await _app(ctx), *args, **kwargs)


async def _on_key(ctx: Context, use_case: Callable[..., Awaitable[Any]], **kwargs: Any) -> None:
    await use_case(ctx, await _app(ctx), await _key(ctx), **kwargs)


def test_every_mutating_use_case_is_tried_below() -> None:
    found = mutating_use_cases(control_plane, billing)

    assert set(found.values()) == set(CALLS), "add the new use case to CALLS"
    assert "control_plane.apps.service.suspend_app" in found


class Undo(Exception):
    """Leaves the database as it was for the next use case."""


async def test_each_writes_an_entry_that_says_who_and_what(world: World) -> None:
    tenant = await world.tenant()
    relay = await world.credential("relay", "r")
    async with world.change() as ctx:
        await add_public_key(ctx, app_uuid(tenant), PEM, kid="old")
    async with world.deps.database.unit_of_work() as uow:
        credential = await authenticate(uow.session, world.deps.vault, relay)
    early = UsageRow(
        seq=1, app_id=tenant.app_id, meter="messages", quantity=1, at=world.clock.now() + timedelta(days=9)
    )
    await ingest(world.deps, credential, UsageReport(source="relay:s0", boot="b", rows=(early,)))
    entries = text("select * from control.audit_entries order by id desc")

    for use_case, call in CALLS.items():
        with contextlib.suppress(Undo):
            async with world.change() as ctx:
                before = len((await ctx.session.execute(entries)).all())
                await call(ctx, world)
                after = (await ctx.session.execute(entries)).all()
                assert len(after) > before, use_case
                assert (after[0].actor, after[0].request_id) == ("operator:test", "req_test"), use_case
                assert after[0].target, use_case
                raise Undo


async def test_the_entry_goes_with_a_change_that_fails(world: World) -> None:
    tenant = await world.tenant()
    with pytest.raises(RuntimeError):
        async with world.change() as ctx:
            await suspend_app(ctx, app_uuid(tenant), reason="x")
            raise RuntimeError
    async with world.deps.database.unit_of_work() as uow:
        found = await uow.session.execute(text("select action from control.audit_entries"))
        assert "app.suspended" not in set(found.scalars())


def test_every_mutating_route_is_known(world: World) -> None:
    app = create_app(world.deps)
    routes = {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method not in ("GET", "HEAD", "OPTIONS")
    }
    # The ledger is itself the record of who reported what and when.
    assert routes == {"POST /internal/v1/usage"}


@pytest.mark.parametrize("table", ["audit_entries", "usage_ledger"])
@pytest.mark.parametrize(
    "statement", ["update control.{} set at = now()", "delete from control.{}", "truncate control.{}"]
)
async def test_what_is_append_only_refuses_its_owner_and_the_runtime(
    shared_world: World, table: str, statement: str
) -> None:
    await shared_world.tenant()
    with pytest.raises(DBAPIError, match="permission denied"):
        async with shared_world.deps.database.unit_of_work() as uow:
            await uow.session.execute(text(statement.format(table)))
    owner = await asyncpg.connect(shared_world.admin_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await owner.execute(statement.format(table))
    finally:
        await owner.close()
