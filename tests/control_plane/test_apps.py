"""Apps as pages make and read them: under the pages' role, inside one organization."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from billing.tenants import open_app
from billing.terms.service import change_plan
from control_plane import configuration
from control_plane.apps.models import App
from control_plane.apps.reads import get_app, list_apps
from control_plane.apps.service import rename_app, set_allowed_origins, set_anonymous, set_guests
from control_plane.locate.service import locate
from control_plane.members import Member
from control_plane.snapshots.builder import build_page
from control_plane.tenants import NewApp
from kernel.errors import Forbidden, InvalidInput, NotFound
from kernel.security import keys
from tests.control_plane.fixtures import World


async def submit(world: World, member: Member, name: str = "Chat", app_id: UUID | None = None) -> NewApp:
    async with world.deps.change_as(member, "req_test") as ctx:
        return await open_app(ctx, member, name=name, app_id=app_id)


async def version(world: World) -> int:
    async with world.deps.database.unit_of_work() as uow:
        return await configuration.current(uow.session)


async def test_an_app_made_on_a_page_can_be_served_from_its_snapshot(world: World) -> None:
    ada = await world.owner()
    made = await submit(world, ada)

    async with world.deps.database.unit_of_work() as uow:
        page = await build_page(uow.session, world.deps.vault, shard=made.app.shard, since=0, now=world.clock.now())
        found = await locate(uow.session, world.deps.settings, made.publishable_key, now=world.clock.now())
    (app,) = page.apps
    assert app.app_id == found.app_id == made.app.public_id
    assert app.organization_id == ada.public_organization_id
    assert app.publishable_keys == (made.publishable_key,)
    assert made.secret_key is not None
    assert [key.digest for key in app.secret_keys] == [
        keys.digest(world.deps.vault.key("secret-keys"), made.secret_key)
    ]
    assert [key.mint for key in app.signing_keys] == [True]
    assert {quota.meter: quota.limit for quota in app.quotas}["messages"] == 200_000
    async with world.deps.database.unit_of_work() as uow:
        due = await uow.session.execute(text("select app_id from control.standings_due"))
        assert set(due.scalars()) == {made.app.id}


async def test_the_same_form_sent_twice_makes_one_app_and_shows_its_secret_once(world: World) -> None:
    ada, app_id = await world.owner(), uuid4()
    answers = await asyncio.gather(*(submit(world, ada, app_id=app_id) for _ in range(6)))
    assert {answer.app.id for answer in answers} == {app_id}
    assert len({answer.publishable_key for answer in answers}) == 1
    assert sum(answer.secret_key is not None for answer in answers) == 1
    async with world.deps.database.unit_of_work() as uow:
        counts = await uow.session.execute(
            text("select (select count(*) from control.api_keys), (select count(*) from control.signing_keys)")
        )
        assert tuple(counts.one()) == (2, 1)


async def test_pages_spread_apps_by_the_load_of_all_tenants(world: World) -> None:
    for _ in range(3):
        await world.tenant(shard="s0")
    ada = await world.owner("bob@example.com", "Bobs")
    assert [(await submit(world, ada, f"App {n}")).app.shard for n in range(4)] == ["s1", "s1", "s1", "s0"]


@pytest.mark.parametrize("role", ["billing", "viewer"])
async def test_who_may_not_create_apps_makes_none(world: World, role: str) -> None:
    ada = await world.owner()
    other = await world.member(ada, "carl@example.com", role)
    with pytest.raises(Forbidden):
        await submit(world, other)
    await submit(world, await world.member(ada, "dora@example.com", "developer"))


@pytest.mark.parametrize(
    ("wrong", "field"), [({"name": ""}, "app"), ({"name": "a\x00"}, "app"), ({"environment": "x"}, "environment")]
)
async def test_bad_input_is_named_and_leaves_nothing(world: World, wrong: dict[str, str], field: str) -> None:
    ada = await world.owner()
    with pytest.raises(InvalidInput) as caught:
        async with world.deps.change_as(ada, None) as ctx:
            await open_app(ctx, ada, **{"name": "Chat", **wrong})
    assert caught.value.data["field"] == field
    async with world.deps.read(ada) as uow:
        assert (await list_apps(uow.session, ada)).items == []


async def test_apps_are_listed_newest_first_in_pages_and_searched_by_name(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    for name in ("One", "Two 100%", "Three"):
        await submit(world, ada, name)
    await submit(world, bob, "Bob's one")
    async with world.deps.read(ada) as uow:
        first = await list_apps(uow.session, ada, limit=2)
        second = await list_apps(uow.session, ada, limit=2, cursor=first.next_cursor)
        found = await list_apps(uow.session, ada, search="100%")
        one = await list_apps(uow.session, ada, search="ONE")
        with pytest.raises(InvalidInput):
            await list_apps(uow.session, ada, cursor="app_x")
    names = [[app.name for app in page.items] for page in (first, second, found, one)]
    assert names == [["Three", "Two 100%"], ["One"], ["Two 100%"], ["One"]]
    assert second.next_cursor is None


async def test_anothers_app_looks_like_none_to_read_and_to_change(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    theirs = (await submit(world, bob)).app
    for app_ids in ((theirs.id, uuid4()),):
        reads, renames, origins = [], [], []
        for app_id in app_ids:
            with pytest.raises(NotFound) as read:
                async with world.deps.read(ada) as uow:
                    await get_app(uow.session, ada, app_id)
            reads.append(read.value.as_dict())
            with pytest.raises(NotFound) as renamed:
                async with world.deps.change_as(ada, None) as ctx:
                    await rename_app(ctx, app_id, "Mine")
            renames.append(renamed.value.as_dict())
            with pytest.raises(NotFound) as opened:
                async with world.deps.change_as(ada, None) as ctx:
                    await set_allowed_origins(ctx, app_id, ["https://evil.example"])
            origins.append(opened.value.as_dict())
        for pair in (reads, renames, origins):
            assert pair[0] == pair[1]
    async with world.deps.read(bob) as uow:
        app = await get_app(uow.session, bob, theirs.id)
    assert (app.name, app.allowed_origins) == ("Chat", ["*"])


@pytest.mark.parametrize(("who", "let"), [("guests", set_guests), ("anonymous", set_anonymous)])
async def test_nodes_hear_whom_an_app_lets_in_whatever_its_plan_becomes(world: World, who: str, let: Any) -> None:
    ada = await world.owner()
    app: App = (await submit(world, ada)).app

    async def told() -> bool:
        async with world.deps.database.unit_of_work() as uow:
            page = await build_page(uow.session, world.deps.vault, shard=app.shard, since=0, now=world.clock.now())
        return {each.app_id: getattr(each, who) for each in page.apps}[app.public_id]

    assert not await told()
    before = await version(world)
    async with world.deps.change_as(ada, None) as ctx:
        await let(ctx, app.id, True)
    assert await told()
    assert await version(world) == before + 1
    async with world.change() as ctx:
        await change_plan(ctx, app.id, "starter")
    assert await told()


async def test_a_new_name_is_no_new_configuration(world: World) -> None:
    ada = await world.owner()
    app: App = (await submit(world, ada)).app
    before = await version(world)
    async with world.deps.change_as(ada, None) as ctx:
        await rename_app(ctx, app.id, " Engine ")
    async with world.deps.read(ada) as uow:
        assert (await get_app(uow.session, ada, app.id)).name == "Engine"
    assert await version(world) == before
