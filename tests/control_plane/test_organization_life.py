"""Organizations change hands, close, come back, and are erased; there is an owner at any time."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from billing.invoices.closing import Closer
from billing.tenants import last_invoice_made
from control_plane.accounts.authenticators import turn_off
from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.person import Person
from control_plane.context import Actor
from control_plane.housekeeping import Housekeeper
from control_plane.members import Member
from control_plane.members.invitations import accept_invitation, invite, look_up_invitation
from control_plane.members.service import change_role, leave, remove_member
from control_plane.organizations.closing import KEPT_FOR, close_organization, restore_organization
from control_plane.organizations.erasure import ERASED, erase_due
from control_plane.organizations.export import export_lines
from control_plane.organizations.ownership import (
    LIFETIME,
    accept_ownership,
    end_offer,
    offer_ownership,
    open_offer,
)
from control_plane.organizations.service import require_two_step
from control_plane.snapshots.builder import build_page
from kernel.contracts import AppSnapshot
from kernel.errors import Conflict, Forbidden, NotFound
from tests.control_plane.accounts.second_steps import signed_in, two_step_on
from tests.control_plane.fixtures import World


async def run(world: World, member: Member, use_case: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """As the portal does it: in the member's name, inside the organization."""
    async with world.deps.change_as(member, "req_test") as ctx:
        return await use_case(ctx, member, *arguments)


async def roles(world: World, member: Member) -> dict[str, str]:
    async with world.deps.database.unit_of_work() as uow:
        rows = await uow.session.execute(
            text(
                "select a.email, m.role from control.memberships m join control.accounts a on a.id = m.account_id "
                "where m.organization_id = :id"
            ),
            {"id": member.organization_id},
        )
        return {email.partition("@")[0]: role for email, role in rows}


async def snapshots(world: World) -> dict[str, AppSnapshot]:
    found = {}
    for shard in ("s0", "s1"):
        async with world.deps.database.unit_of_work(read_only=True) as uow:
            page = await build_page(uow.session, world.deps.vault, shard=shard, since=0, now=world.clock.now())
        found.update({app.app_id: app for app in page.apps})
    return found


async def family(world: World) -> tuple[Member, Member, Member]:
    ada = await world.owner()
    return (
        ada,
        await world.member(ada, "bob@example.com", "viewer"),
        await world.member(ada, "carl@example.com", "admin"),
    )


# -- ownership ---------------------------------------------------------------------------------------------------------


async def test_ownership_passes_when_the_other_accepts_and_not_before(world: World) -> None:
    ada, bob, carl = await family(world)
    offer = await run(world, ada, offer_ownership, bob.account_id)
    assert (await world.letters(bob.email))[0].kind == "ownership_offered"
    assert await roles(world, ada) == {"ada": "owner", "bob": "viewer", "carl": "admin"}
    async with world.deps.read(ada) as uow:
        seen = [await open_offer(uow.session, member, now=world.clock.now()) for member in (ada, bob, carl)]
    assert seen == [offer, offer, None]
    for member in (carl, ada):
        with pytest.raises(NotFound):
            await run(world, member, accept_ownership)

    await run(world, bob, accept_ownership)
    assert await roles(world, ada) == {"ada": "admin", "bob": "owner", "carl": "admin"}
    for member in (ada, bob):
        assert (await world.letters(member.email))[0].subject == "Analytical has a new owner"
        with pytest.raises(NotFound):
            await run(world, member, accept_ownership)


async def test_an_offer_ends_in_many_ways(world: World) -> None:
    ada, bob, carl = await family(world)
    for end in (ada, bob):
        await run(world, ada, offer_ownership, bob.account_id)
        await run(world, end, end_offer)
    await run(world, ada, offer_ownership, bob.account_id)
    await run(world, ada, offer_ownership, carl.account_id)  # Replaces the one before.
    with pytest.raises(NotFound):
        await run(world, bob, accept_ownership)
    world.clock.advance(LIFETIME)
    with pytest.raises(NotFound):
        await run(world, carl, accept_ownership)
    await run(world, ada, offer_ownership, bob.account_id)
    await run(world, ada, change_role, carl.account_id, "owner")
    await run(world, await world.scope(carl.account_id, ada), change_role, ada.account_id, "admin")
    with pytest.raises(NotFound, match="no owner any more"):
        await run(world, bob, accept_ownership)


async def test_only_owners_offer_and_only_to_members_who_are_none(world: World) -> None:
    ada, bob, carl = await family(world)
    stranger = await world.person("eve@example.com", "Eve")
    for use_case, arguments in (
        (offer_ownership, (bob.account_id,)), (close_organization, ()), (restore_organization, ()),
    ):  # fmt: skip
        with pytest.raises(Forbidden, match="An owner of Analytical"):
            await run(world, carl, use_case, *arguments)
    with pytest.raises(NotFound):
        await run(world, ada, offer_ownership, stranger.account_id)
    with pytest.raises(Conflict):
        await run(world, ada, offer_ownership, ada.account_id)


async def test_there_is_an_owner_whatever_happens_at_once(world: World) -> None:
    ada = await world.owner()
    others = [await world.member(ada, f"owner{number}@example.com", "viewer") for number in range(9)]
    for round_ in range(3):
        everybody = [await world.scope(one.account_id, ada) for one in (ada, *others)]
        owner = next(one for one in everybody if one.role == "owner")
        for one in everybody:
            if one.role != "owner":
                await run(world, owner, change_role, one.account_id, "owner")
        everybody = [await world.scope(one.account_id, ada) for one in (ada, *others)]
        tries = [run(world, one, change_role, one.account_id, "viewer") for one in everybody]
        tries += [
            run(world, one, change_role, other.account_id, "admin")
            for one, other in zip(everybody, everybody[1:] + everybody[:1], strict=True)
        ]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert all(answer is None or isinstance(answer, Conflict | Forbidden) for answer in answers), answers
        assert list((await roles(world, ada)).values()).count("owner") >= 1, round_
    everybody = [await world.scope(one.account_id, ada) for one in (ada, *others)]
    owner = next(one for one in everybody if one.role == "owner")
    heir = next(one for one in everybody if one.role != "owner")
    await run(world, owner, offer_ownership, heir.account_id)
    # The offer is accepted while its author leaves, is removed and takes it back.
    await asyncio.gather(
        run(world, heir, accept_ownership),
        run(world, owner, leave),
        run(world, owner, remove_member, owner.account_id),
        run(world, owner, end_offer),
        *(run(world, heir, accept_ownership) for _ in range(46)),
        return_exceptions=True,
    )
    assert list((await roles(world, ada)).values()).count("owner") == 1


# -- closed ------------------------------------------------------------------------------------------------------------


async def test_a_closed_organizations_apps_are_suspended_and_come_back_as_they_were(world: World) -> None:
    ada, bob, _ = await family(world)
    made, other = await world.app(ada), await world.app(await world.owner("eve@example.com", "Others"))
    await invite_of(world, ada)
    link = await world.link("new@example.com")
    before = await snapshots(world)
    await run(world, ada, close_organization)

    closed = await snapshots(world)
    mine = closed[made.app.public_id]
    assert (mine.status, mine.version > before[made.app.public_id].version) == ("suspended", True)
    assert closed[other.app.public_id] == before[other.app.public_id]
    assert (await world.letters(ada.email))[0].subject == "Analytical is closed"
    assert "30" not in (await world.letters(bob.email))[0].subject
    with pytest.raises(LinkInvalid):
        await look_up_invitation(world.deps, link)
    guest = await world.person("new@example.com", "New")
    with pytest.raises(LinkInvalid):
        await accept(world, guest, link)
    with pytest.raises(Conflict):
        await run(world, ada, close_organization)

    world.clock.advance(KEPT_FOR - timedelta(seconds=1))
    await run(world, ada, restore_organization)
    again = (await snapshots(world))[made.app.public_id]
    assert again.status == "active"
    assert again.secret_keys == before[made.app.public_id].secret_keys
    with pytest.raises(Conflict):
        await run(world, ada, restore_organization)


async def invite_of(world: World, member: Member) -> None:
    async with world.deps.change_as(member, "req_test") as ctx:
        await invite(ctx, member, email="new@example.com", role="viewer")


async def accept(world: World, person: Person, link: str) -> None:
    async with world.deps.change(Actor(person.actor)) as ctx:
        await accept_invitation(ctx, person, link)


async def test_it_is_erased_after_thirty_days_and_leaves_no_words(world: World) -> None:
    ada, _, _ = await family(world)
    made = await world.app(ada, "Canary chat")
    eve = await world.owner("eve@example.com", "Others")
    await world.app(eve)
    await invite_of(world, ada)
    await run(world, ada, offer_ownership, (await world.member(ada, "dan@example.com", "viewer")).account_id)
    await run(world, ada, close_organization)
    world.clock.advance(KEPT_FOR - timedelta(seconds=1))
    assert await erase_due(world.deps) == 0
    world.clock.advance(timedelta(seconds=1))
    with pytest.raises(NotFound):
        await run(world, ada, restore_organization)
    others = await rows_of(world, eve)

    assert await erase_due(world.deps, last_invoice_made) == 0, "its last month is not closed yet"
    await Closer(world.deps).step()
    keeper = Housekeeper(world.deps, may_erase=last_invoice_made)
    erased = await asyncio.gather(erase_due(world.deps), keeper.sweep(), erase_due(world.deps))
    assert erased[0] + erased[1]["organizations"] + erased[2] == 1
    kept = await rows_of(world, ada)
    assert {table: len(rows) for table, rows in kept.items() if rows} == {"organizations": 1, "apps": 1}
    words = json.dumps(kept)
    assert "Canary" not in words
    assert "Analytical" not in words
    assert "ada@example.com" not in words
    assert words.count(ERASED) == 2
    assert await rows_of(world, eve) == others, "nobody else's"
    gone = (await snapshots(world))[made.app.public_id]
    assert (gone.status, gone.secret_keys, gone.publishable_keys, gone.signing_keys) == ("deleted", (), (), ())
    with pytest.raises(NotFound):
        await world.scope(ada.account_id, ada)
    async with world.deps.database.unit_of_work() as uow:
        last = await uow.session.execute(
            text(
                "select action, actor from control.audit_entries where organization_id = :id order by id desc limit 1"
            ),
            {"id": ada.organization_id},
        )
    assert tuple(last.one()) == ("organization.erased", "system:erasure")


async def rows_of(world: World, member: Member) -> dict[str, list[str]]:
    """Every row of the organization's, but for the audit log and numbers."""
    by_app = ("api_keys", "signing_keys", "entitlements")
    queries = {
        "organizations": "id = :id",
        **dict.fromkeys(("apps", "memberships", "invitations", "ownership_offers"), "organization_id = :id"),
        **dict.fromkeys(by_app, "app_id in (select id from control.apps where organization_id = :id)"),
    }
    found = {}
    async with world.deps.database.unit_of_work() as uow:
        for table, where in queries.items():
            rows = await uow.session.execute(
                text(f"select t::text from control.{table} t where {where} order by 1"), {"id": member.organization_id}
            )
            found[table] = list(rows.scalars())
    return found


async def test_the_export_holds_what_is_held_and_no_secret(world: World) -> None:
    ada, bob, carl = await family(world)
    made = await world.app(ada)
    eve = await world.owner("eve@example.com", "Others")
    await world.app(eve)
    await invite_of(world, ada)
    await run(world, ada, close_organization)
    async with world.deps.read(ada) as uow:
        lines = [json.loads(line) async for line in export_lines(uow.session, ada)]
        with pytest.raises(Forbidden):
            _ = [line async for line in export_lines(uow.session, carl)]
    kinds = {kind: [line for line in lines if line["kind"] == kind] for kind in {line["kind"] for line in lines}}
    assert {
        "organization",
        "member",
        "invitation",
        "app",
        "api_key",
        "signing_key",
        "entitlement",
        "audit_entry",
    } == set(kinds)
    assert kinds["organization"][0]["id"] == ada.public_organization_id
    assert {line["email"] for line in kinds["member"]} == {ada.email, bob.email, carl.email}
    assert [line["id"] for line in kinds["app"]] == [made.app.public_id]
    assert all(line["app_id"] == made.app.public_id for line in kinds["api_key"] + kinds["entitlement"])
    whole = json.dumps(lines)
    assert made.secret_key is not None
    for secret in (made.secret_key, "digest", "sealed", "eve@example.com", "password"):
        assert secret not in whole


# -- two-step sign-in for all ------------------------------------------------------------------------------------------


async def test_who_requires_two_steps_has_them_and_who_is_bound_keeps_them(world: World) -> None:
    ada, bob, _ = await family(world)
    with pytest.raises(Conflict):
        await run(world, ada, require_two_step, True)
    with pytest.raises(Forbidden):
        await run(world, bob, require_two_step, True)
    person = Person(ada.account_id, ada.email, ada.name, staff=False)
    await two_step_on(world, person)
    await run(world, ada, require_two_step, True)
    assert (await world.scope(bob.account_id, ada)).two_step_required
    who, _ = await signed_in(world, Person(bob.account_id, bob.email, bob.name, staff=False))
    with pytest.raises(Forbidden, match="Analytical is for members"):
        async with world.change() as ctx:
            await turn_off(ctx, replace(who, person=person))
    await run(world, await world.scope(ada.account_id, ada), require_two_step, False)
    async with world.change() as ctx:
        await turn_off(ctx, replace(who, person=person))
