"""What an app in production asks for first, and what no app ever does."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.apps.service import delete_app, promote_app, set_allowed_origins
from control_plane.context import Context
from control_plane.keys.api_keys import create_secret_key, revoke_api_key, rotate_secret_key
from control_plane.keys.models import ApiKey
from control_plane.keys.reads import get_api_key
from control_plane.keys.uses import parse_uses
from control_plane.snapshots.builder import build_page
from kernel.errors import Conflict, InvalidInput, NotFound
from kernel.ids import format_id, parse_id
from tests.control_plane.fixtures import World, app_uuid, bearer


async def test_an_app_is_promoted_once_with_its_name_typed(world: World) -> None:
    tenant = await world.tenant()
    app_id = app_uuid(tenant)
    for typed in (None, "", "chat", "Chat2"):
        with pytest.raises(InvalidInput) as refused:
            async with world.change() as ctx:
                await promote_app(ctx, app_id, confirm=typed)
        assert refused.value.data["field"] == "confirm"
    async with world.change() as ctx:
        app = await promote_app(ctx, app_id, confirm=" Chat ")
        assert (app.environment, app.promoted_at) == ("production", world.clock.now())
    with pytest.raises(Conflict):
        async with world.change() as ctx:
            await promote_app(ctx, app_id, confirm="Chat")
    async with world.deps.database.unit_of_work() as uow:
        page = await build_page(uow.session, world.deps.vault, shard="s0", since=0, now=world.clock.now())
    assert page.apps[0].environment == "production", "nodes hear of it"
    # Not even by a statement of ours.
    for role in (world.deps.database, world.deps.portal_database):
        with pytest.raises(DBAPIError):
            async with role.unit_of_work(organization=str(parse_id("org", tenant.organization_id))) as uow:
                await uow.session.execute(text("update control.apps set environment = 'development'"))


async def test_a_deleted_app_is_gone_for_good(world: World) -> None:
    tenant = await world.tenant()
    app_id = app_uuid(tenant)
    with pytest.raises(InvalidInput):
        async with world.change() as ctx:
            await delete_app(ctx, app_id)
    async with world.change() as ctx:
        await delete_app(ctx, app_id, confirm="Chat")
    async with world.deps.database.unit_of_work() as uow:
        page = await build_page(uow.session, world.deps.vault, shard="s0", since=0, now=world.clock.now())
    assert page.apps[0].status == "deleted"
    with pytest.raises(NotFound):
        async with world.change() as ctx:
            await delete_app(ctx, app_id, confirm="Chat")
    with pytest.raises(DBAPIError):
        async with world.deps.database.unit_of_work() as uow:
            await uow.session.execute(text("update control.apps set status = 'active'"))


async def _key(ctx: Context, kind: str) -> ApiKey:
    row = await ctx.session.execute(text("select id from control.api_keys where kind = :kind"), {"kind": kind})
    key = await ctx.session.get(ApiKey, row.scalar_one())
    assert key is not None
    return key


@pytest.mark.parametrize("kind", ["secret", "publishable"])
@pytest.mark.parametrize("environment", ["development", "production"])
async def test_the_last_key_of_a_production_app_takes_its_name(world: World, kind: str, environment: str) -> None:
    app_id = app_uuid(await world.tenant())
    async with world.change() as ctx:
        if environment == "production":
            await promote_app(ctx, app_id, confirm="Chat")
        key_id = (await _key(ctx, kind)).id
        if kind == "secret":
            # One that ended is no other.
            await create_secret_key(ctx, app_id, expires_at=ctx.now + timedelta(minutes=1))
    world.clock.advance(timedelta(minutes=2))
    if environment == "production":
        with pytest.raises(InvalidInput) as refused:
            async with world.change() as ctx:
                await revoke_api_key(ctx, app_id, key_id)
        assert refused.value.data["field"] == "confirm"
        if kind == "secret":
            async with world.change() as ctx:
                await rotate_secret_key(ctx, app_id, key_id, overlap=timedelta(hours=1))
                assert (await revoke_api_key(ctx, app_id, key_id)).revoked_at, "its successor works"
            return
    async with world.change() as ctx:
        assert (await revoke_api_key(ctx, app_id, key_id, confirm="Chat")).revoked_at


async def test_a_production_app_is_opened_to_every_page_by_name_alone(world: World) -> None:
    app_id = app_uuid(await world.tenant())
    async with world.change() as ctx:
        await promote_app(ctx, app_id, confirm="Chat")
        await set_allowed_origins(ctx, app_id, ["*"])  # as it was
        await set_allowed_origins(ctx, app_id, ["https://a.example"])
    with pytest.raises(InvalidInput):
        async with world.change() as ctx:
            await set_allowed_origins(ctx, app_id, ["*"])
    async with world.change() as ctx:
        assert (await set_allowed_origins(ctx, app_id, ["*"], confirm="Chat")).allowed_origins == ["*"]


async def test_nodes_tell_when_keys_of_their_shard_were_used(world: World) -> None:
    here, there = await world.tenant(), await world.tenant("Other", shard="s1")
    node = await world.credential("node", "n1")
    async with world.deps.database.unit_of_work() as uow:
        rows = await uow.session.execute(text("select app_id, id from control.api_keys where kind = 'secret'"))
        ids = dict(rows.all())  # type: ignore[arg-type]
    mine, foreign = ids[app_uuid(here)], ids[app_uuid(there)]
    at = int(world.clock.now().timestamp()) - 30

    async def tell(seconds: int) -> int:
        used = f"{format_id('key', mine)}@{seconds},{format_id('key', foreign)}@{seconds}"
        async with world.serve() as client:
            answer = await client.get("/internal/v1/snapshots", params={"used": used}, headers=bearer(node))
        return answer.status_code

    async def last_used() -> dict[object, object]:
        async with world.deps.database.unit_of_work() as uow:
            return dict((await uow.session.execute(text("select id, last_used_at from control.api_keys"))).all())  # type: ignore[arg-type]

    assert await tell(at) == 200
    assert (await last_used())[mine].timestamp() == at  # type: ignore[attr-defined]
    assert await tell(at - 100) == 200
    assert (await last_used())[mine].timestamp() == at, "never back"  # type: ignore[attr-defined]
    assert await tell(at + 10**6) == 200
    found = await last_used()
    assert found[mine] == world.clock.now(), "nor into the future"
    assert found[foreign] is None, "nor of another shard"
    owner = await world.owner("bob@example.com", "Bobs")
    app = (await world.app(owner)).app
    async with world.deps.read(owner) as uow:
        with pytest.raises(NotFound):
            await get_api_key(uow.session, app, mine, now=world.clock.now())


@pytest.mark.parametrize("wrong", ["x", "key_1", "key_0@", "key_0@1,", "sk_0@1", ",".join(["key_0@1"] * 101)])
def test_uses_that_make_no_sense_are_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        parse_uses(wrong)
