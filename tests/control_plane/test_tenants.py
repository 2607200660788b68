"""Opening a tenant: everything at once or nothing, and no secret is kept."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text

from billing.tenants import open_tenant
from control_plane.snapshots.builder import build_page
from kernel.errors import InvalidInput
from kernel.security import keys
from tests.control_plane.fixtures import World

GOOD = {"email": "ada@example.com", "organization": "Analytical", "app": "Chat"}


async def test_a_tenant_can_be_served_from_its_snapshot(world: World) -> None:
    tenant = await world.tenant()

    async with world.deps.database.unit_of_work() as uow:
        page = await build_page(uow.session, world.deps.vault, shard="s0", since=0, now=world.clock.now())
    (app,) = page.apps
    assert app.app_id == tenant.app_id
    assert app.organization_id == tenant.organization_id
    assert app.publishable_keys == (tenant.publishable_key,)
    (secret,) = app.secret_keys
    assert secret.digest == keys.digest(world.deps.vault.key("secret-keys"), tenant.secret_key)
    (signing,) = app.signing_keys
    assert signing.mint
    assert signing.algorithm == "HS256"
    assert len(signing.key) >= 32
    limits = {quota.meter: (quota.limit, quota.over, quota.used, quota.exceeded) for quota in app.quotas}
    assert limits == {
        "messages": (200_000, "stop", 0, False),
        "mau": (1_000, "stop", 0, False),
        "peak_connections": (100, "stop", 0, False),
        "storage_bytes": (1_000_000_000, "stop", 0, False),
    }


async def test_the_same_owner_and_organization_are_reused(world: World) -> None:
    first = await world.tenant("One")
    async with world.change() as ctx:
        again = await open_tenant(ctx, email="Ada@Example.com ", organization="ANALYTICAL", app="Two")
        other = await open_tenant(ctx, email="bob@example.com", organization="Analytical", app="Three")

    assert again.organization_id == first.organization_id
    assert again.app_id != first.app_id
    assert other.organization_id != first.organization_id


async def test_many_at_once_share_one_organization(world: World) -> None:
    tenants = await asyncio.gather(*(world.tenant(f"App {n}") for n in range(12)))

    assert len({tenant.organization_id for tenant in tenants}) == 1
    assert len({tenant.app_id for tenant in tenants}) == 12


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "ada"}, "email"),
        ({"email": "ada@"}, "email"),
        ({"email": "a b@example.com"}, "email"),
        ({"email": "a@b@example.com"}, "email"),
        ({"email": "ada@-example.com"}, "email"),
        ({"email": "ada@exa..mple.com"}, "email"),
        ({"email": "ada@example.com\x00"}, "email"),
        ({"email": "x" * 65 + "@example.com"}, "email"),
        ({"organization": "  "}, "organization"),
        ({"organization": "a\x00b"}, "organization"),
        ({"app": "x" * 101}, "app"),
        ({"environment": "staging"}, "environment"),
        ({"shard": "s9"}, "shard"),
        ({"plan": "gold"}, "plan"),
    ],
)
async def test_bad_input_is_named_and_leaves_nothing(shared_world: World, wrong: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        async with shared_world.change() as ctx:
            await open_tenant(ctx, **{**GOOD, **wrong})

    assert caught.value.data["field"] == field
    async with shared_world.deps.database.unit_of_work() as uow:
        count = await uow.session.execute(text("select count(*) from control.organizations"))
        assert count.scalar_one() == 0


async def test_apps_spread_over_the_shards(world: World) -> None:
    shards = []
    for n in range(4):
        async with world.change() as ctx:
            shards.append((await open_tenant(ctx, **{**GOOD, "app": f"App {n}"})).shard)

    assert sorted(shards) == ["s0", "s0", "s1", "s1"]


async def _find_everywhere(admin_url: str, needle: str) -> list[str]:
    """The tables in which some column of any type holds the text, also inside bytes."""
    connection = await asyncpg.connect(admin_url)
    try:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'control'")
        found = []
        for (table,) in tables:
            hits = await connection.fetchval(
                f"select count(*) from control.{table} t where t::text like '%' || $1 || '%' "
                f"or t::text like '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%'",
                needle,
            )
            if hits:
                found.append(table)
        return found
    finally:
        await connection.close()


async def test_no_secret_is_stored_in_plain_text(world: World) -> None:
    tenant = await world.tenant()
    credential = await world.credential("node", "n1")
    async with world.deps.database.unit_of_work() as uow:
        page = await build_page(uow.session, world.deps.vault, shard="s0", since=0, now=world.clock.now())

    for secret in (tenant.secret_key, credential, page.apps[0].signing_keys[0].key):
        assert await _find_everywhere(world.admin_url, secret) == []
    # The search works: it finds what is stored openly, and a secret that somebody leaves behind.
    assert await _find_everywhere(world.admin_url, tenant.publishable_key) == ["api_keys"]
    async with world.deps.database.unit_of_work() as uow:
        await uow.session.execute(text("update control.apps set name = :key"), {"key": tenant.secret_key})
    assert await _find_everywhere(world.admin_url, tenant.secret_key) == ["apps"]
