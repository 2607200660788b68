"""The audit log as members read it."""

from uuid import uuid4

import pytest

from control_plane.apps.service import rename_app
from control_plane.audit.reads import AuditView, Filters, choices, list_entries
from control_plane.members import Member
from control_plane.members.scope import scopes_of
from control_plane.members.service import remove_member
from kernel.errors import Forbidden, InvalidInput
from kernel.ids import format_id
from tests.control_plane.fixtures import World


async def entries(world: World, member: Member, **filters: object) -> list[AuditView]:
    async with world.deps.read(member) as uow:
        return (await list_entries(uow.session, member, **filters)).items  # type: ignore[arg-type]


async def test_entries_name_who_did_what_to_which_app(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    async with world.deps.change_as(ada, "req_rename") as ctx:
        await rename_app(ctx, app.id, "Engine")

    (newest, *_) = await entries(world, ada)
    assert (newest.action, newest.target) == ("app.renamed", app.public_id)
    assert (newest.actor, newest.actor_name) == (ada.actor, "Ada")
    assert (newest.app_id, newest.app_name, newest.request_id) == (app.id, "Engine", "req_rename")
    assert newest.data == {"before": "Chat", "after": "Engine"}


async def test_it_holds_this_organization_and_nothing_of_others_or_of_peoples_sign_ins(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    await world.app(bob)
    actions = {entry.action for entry in await entries(world, ada)}
    assert actions == {"organization.created"}
    assert "app.created" in {entry.action for entry in await entries(world, bob)}


async def test_pages_follow_each_other_without_gap_or_double(world: World) -> None:
    ada = await world.owner()
    for n in range(4):
        await world.app(ada, f"App {n}")
    whole = await entries(world, ada, limit=1_000)
    seen: list[AuditView] = []
    cursor = None
    while True:
        async with world.deps.read(ada) as uow:
            page = await list_entries(uow.session, ada, cursor=cursor, limit=3)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(whole) == 17
    assert seen == whole
    assert [entry.id for entry in whole] == sorted((entry.id for entry in whole), reverse=True)


async def test_entries_are_filtered_by_actor_action_and_app(world: World) -> None:
    ada = await world.owner()
    dora = await world.member(ada, "dora@example.com", "developer")
    first, second = (await world.app(ada)).app, (await world.app(dora)).app

    assert {entry.app_id for entry in await entries(world, ada, filters=Filters(app_id=first.id))} == {first.id}
    assert {entry.actor_name for entry in await entries(world, ada, filters=Filters(actor=dora.actor))} == {"Dora"}
    created = await entries(world, ada, filters=Filters(action="app.created"))
    assert [entry.app_id for entry in created] == [second.id, first.id]
    assert await entries(world, ada, filters=Filters(action="app.created", actor=dora.actor, app_id=first.id)) == []
    assert await entries(world, ada, filters=Filters(app_id=uuid4())) == []


async def test_the_filters_offer_what_there_is(world: World) -> None:
    tenant = await world.tenant()
    ada = await world.person()
    async with world.deps.database.unit_of_work() as uow:
        (scope,) = await scopes_of(uow.session, ada.account_id)
    assert scope.public_organization_id == tenant.organization_id
    async with world.deps.read(scope) as uow:
        offered = await choices(uow.session, scope)
    assert offered.actors == [(ada.actor, "Ada"), ("operator:test", None)]
    assert "app.created" in offered.actions
    assert offered.actions == sorted(offered.actions)


async def test_who_left_is_an_actor_without_a_name(world: World) -> None:
    ada = await world.owner()
    dora = await world.member(ada, "dora@example.com", "developer")
    await world.app(dora)
    async with world.deps.change_as(ada, None) as ctx:
        await remove_member(ctx, ada, dora.account_id)
    (created,) = await entries(world, ada, filters=Filters(action="app.created"))
    assert (created.actor, created.actor_name) == (f"account:{format_id('acc', dora.account_id)}", None)


async def test_it_is_for_those_who_may_and_cursors_must_be_cursors(world: World) -> None:
    ada = await world.owner()
    viewer = await world.member(ada, "carl@example.com", "viewer")
    with pytest.raises(Forbidden):
        await entries(world, viewer)
    for cursor in ("x", "aud_", "acc_00000000000000000000000000"):
        with pytest.raises(InvalidInput):
            await entries(world, ada, cursor=cursor)
