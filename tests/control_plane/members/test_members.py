"""Who belongs to an organization: changed by who may, inside that organization only, and an owner always stays."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from control_plane.members import Member
from control_plane.members.scope import member_of, member_of_app, scopes_of
from control_plane.members.service import LastOwner, change_role, leave, list_members, remove_member
from kernel.errors import Forbidden, InvalidInput, NotFound
from tests.control_plane.fixtures import World


async def acting(world: World, member: Member, use_case: Callable[..., Awaitable[Any]], *args: Any) -> None:
    async with world.deps.change_as(member, "req_test") as ctx:
        await use_case(ctx, member, *args)


async def roles(world: World, member: Member) -> dict[str, str]:
    async with world.deps.read(member) as uow:
        return {view.email.partition("@")[0]: view.role for view in (await list_members(uow.session, member)).items}


async def test_the_list_shows_this_organization_only(world: World) -> None:
    ada = await world.owner()
    await world.member(ada, "carl@example.com", "viewer")
    other = await world.owner("bob@example.com", "Bobs")

    assert await roles(world, ada) == {"ada": "owner", "carl": "viewer"}
    assert await roles(world, other) == {"bob": "owner"}


async def test_long_lists_come_in_pages_and_can_be_searched(world: World) -> None:
    ada = await world.owner()
    for name in ("carl", "dora_x", "dorax", "eve"):
        await world.member(ada, f"{name}@example.com", "viewer")

    async with world.deps.read(ada) as uow:
        first = await list_members(uow.session, ada, limit=2)
        second = await list_members(uow.session, ada, limit=2, cursor=first.next_cursor)
        third = await list_members(uow.session, ada, limit=2, cursor=second.next_cursor)
        found = await list_members(uow.session, ada, search=" DORA_ ")
        none = await list_members(uow.session, ada, search="%")
    names = [[view.name for view in page.items] for page in (first, second, third, found, none)]
    assert names == [["Ada", "Carl"], ["Dora_X", "Dorax"], ["Eve"], ["Dora_X"], []]
    assert third.next_cursor is None


async def test_roles_are_changed_and_members_removed(world: World) -> None:
    ada = await world.owner()
    carl = await world.member(ada, "carl@example.com", "viewer")
    await acting(world, ada, change_role, carl.account_id, "developer")
    assert (await roles(world, ada))["carl"] == "developer"

    await acting(world, ada, remove_member, carl.account_id)
    assert await roles(world, ada) == {"ada": "owner"}
    with pytest.raises(NotFound):
        await world.scope(carl.account_id, ada)


@pytest.mark.parametrize("role", ["developer", "billing", "viewer"])
async def test_who_may_not_manage_members_changes_nobody(world: World, role: str) -> None:
    ada = await world.owner()
    carl = await world.member(ada, "carl@example.com", role)
    before = await roles(world, ada)
    for change in (
        (change_role, ada.account_id, "viewer"),
        (change_role, carl.account_id, "owner"),
        (remove_member, ada.account_id),
    ):
        with pytest.raises(Forbidden):
            await acting(world, carl, *change)
    assert await roles(world, ada) == before


async def test_an_admin_manages_all_but_owners(world: World) -> None:
    ada = await world.owner()
    admin = await world.member(ada, "carl@example.com", "admin")
    dora = await world.member(ada, "dora@example.com", "viewer")
    await acting(world, admin, change_role, dora.account_id, "admin")

    for change in (
        (change_role, admin.account_id, "owner"),
        (change_role, dora.account_id, "owner"),
        (change_role, ada.account_id, "admin"),
        (remove_member, ada.account_id),
    ):
        with pytest.raises(Forbidden, match="Only an owner"):
            await acting(world, admin, *change)
    await acting(world, admin, remove_member, dora.account_id)
    assert await roles(world, ada) == {"ada": "owner", "carl": "admin"}


async def test_what_was_true_when_the_page_was_opened_does_not_count(world: World) -> None:
    ada = await world.owner()
    carl = await world.member(ada, "carl@example.com", "owner")
    dora = await world.member(ada, "dora@example.com", "viewer")
    await acting(world, ada, change_role, carl.account_id, "viewer")
    with pytest.raises(Forbidden):
        await acting(world, carl, change_role, dora.account_id, "admin")
    await acting(world, ada, remove_member, carl.account_id)
    with pytest.raises(NotFound):
        await acting(world, carl, remove_member, dora.account_id)


async def test_the_last_owner_stays(world: World) -> None:
    ada = await world.owner()
    carl = await world.member(ada, "carl@example.com", "admin")
    for change in ((change_role, ada.account_id, "admin"), (remove_member, ada.account_id), (leave,)):
        with pytest.raises(LastOwner):
            await acting(world, ada, *change)

    await acting(world, ada, change_role, carl.account_id, "owner")
    await acting(world, ada, leave)
    assert await roles(world, carl) == {"carl": "owner"}


async def test_owners_who_demote_each_other_at_once_leave_one(world: World) -> None:
    ada = await world.owner()
    owners = [ada, *[await world.member(ada, f"o{n}@example.com", "owner") for n in range(5)]]

    demotions = [
        acting(world, by, change_role, whom.account_id, "viewer") for by in owners for whom in owners if by != whom
    ]
    answers = await asyncio.gather(*demotions, return_exceptions=True)

    assert all(isinstance(answer, Forbidden | LastOwner | None) for answer in answers), answers
    async with world.deps.database.unit_of_work() as uow:
        left = await uow.session.execute(text("select count(*) from control.memberships where role = 'owner'"))
        assert left.scalar_one() >= 1


async def test_owners_who_all_leave_at_once_leave_one(world: World) -> None:
    ada = await world.owner()
    owners = [ada, *[await world.member(ada, f"o{n}@example.com", "owner") for n in range(9)]]

    answers = await asyncio.gather(*(acting(world, each, leave) for each in owners), return_exceptions=True)

    assert sum(isinstance(answer, LastOwner) for answer in answers) == 1
    assert sum(answer is None for answer in answers) == 9


async def test_without_the_lock_two_owners_would_both_leave(world: World) -> None:
    """The test above can fail: this is what the lock prevents."""
    ada = await world.owner()
    bob = await world.member(ada, "bob@example.com", "owner")
    counted = asyncio.Barrier(2)

    async def leave_without_lock(member: Member) -> None:
        async with world.deps.change_as(member, None) as ctx:
            owners = text("select count(*) from control.memberships where role = 'owner'")
            assert (await ctx.session.execute(owners)).scalar_one() == 2
            await counted.wait()
            gone = text("delete from control.memberships where account_id = :id")
            await ctx.session.execute(gone, {"id": member.account_id})

    await asyncio.gather(leave_without_lock(ada), leave_without_lock(bob))
    assert await roles(world, ada) == {}


@pytest.mark.parametrize("role", ["", "king"])
async def test_what_is_no_role_is_refused(world: World, role: str) -> None:
    ada = await world.owner()
    carl = await world.member(ada, "carl@example.com", "viewer")
    with pytest.raises(InvalidInput):
        await acting(world, ada, change_role, carl.account_id, role)


async def test_anothers_member_looks_like_nobody(world: World) -> None:
    ada = await world.owner()
    bob = await world.owner("bob@example.com", "Bobs")
    refusals = []
    for account_id in (bob.account_id, uuid4()):
        for change in ((change_role, account_id, "viewer"), (remove_member, account_id)):
            with pytest.raises(NotFound) as caught:
                await acting(world, ada, *change)
            refusals.append(caught.value.as_dict())
    assert all(refusal == refusals[0] for refusal in refusals)
    assert await roles(world, bob) == {"bob": "owner"}


async def test_a_scope_is_found_by_organization_and_by_app_and_anothers_looks_like_none(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    app, bobs = (await world.app(ada)).app, (await world.app(bob)).app

    async def refusal(find: Callable[..., Awaitable[Member]], id_: UUID) -> dict[str, Any]:
        with pytest.raises(NotFound) as caught:
            async with world.deps.database.unit_of_work() as uow:
                await find(uow.session, ada.account_id, id_)
        return caught.value.as_dict()

    async with world.deps.database.unit_of_work() as uow:
        assert await member_of(uow.session, ada.account_id, ada.organization_id) == ada
        assert await member_of_app(uow.session, ada.account_id, app.id) == ada
        assert await scopes_of(uow.session, ada.account_id) == [ada]
    assert await refusal(member_of, bob.organization_id) == await refusal(member_of, uuid4())
    assert await refusal(member_of_app, bobs.id) == await refusal(member_of_app, uuid4())


async def test_a_forged_scope_opens_an_organization_but_gives_no_right_to_change_its_members(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    forged = dataclasses.replace(ada, organization_id=bob.organization_id)
    with pytest.raises(NotFound):
        await acting(world, forged, remove_member, bob.account_id)
