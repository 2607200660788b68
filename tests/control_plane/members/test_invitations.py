"""Invitations are for one address, once, and end when they are replaced, revoked or old."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.person import Person
from control_plane.context import Actor
from control_plane.members import Member
from control_plane.members.invitations import (
    InvitationOffer,
    InvitationView,
    accept_invitation,
    invite,
    list_invitations,
    look_up_invitation,
    revoke_invitation,
)
from control_plane.members.service import remove_member
from kernel.errors import Conflict, Forbidden, InvalidInput, NotFound, RateLimited
from tests.control_plane.fixtures import World, link_of

CARL = "carl@example.com"


async def send(world: World, by: Member, email: str = CARL, role: str = "viewer") -> InvitationView:
    async with world.deps.change_as(by, "req_test") as ctx:
        return await invite(ctx, by, email=email, role=role)


async def accept(world: World, person: Person, token: str) -> None:
    async with world.deps.change(Actor(person.actor)) as ctx:
        await accept_invitation(ctx, person, token)


async def open_ones(world: World, member: Member) -> list[InvitationView]:
    async with world.deps.read(member) as uow:
        return await list_invitations(uow.session, member, now=world.clock.now())


async def test_an_invited_person_becomes_a_member_in_the_offered_role(world: World) -> None:
    ada = await world.owner()
    sent = await send(world, ada, " Carl@Example.com", "developer")
    (letter, *_) = await world.letters(CARL)
    assert letter.subject == "Ada invites you to Analytical"
    token = link_of(letter)
    assert await look_up_invitation(world.deps, token) == InvitationOffer("Analytical", CARL, "developer", "Ada")
    assert await open_ones(world, ada) == [sent]

    carl = await world.person(CARL, "Carl")
    await accept(world, carl, token)

    assert (await world.scope(carl.account_id, ada)).role == "developer"
    assert await open_ones(world, ada) == []
    for _ in range(2):
        with pytest.raises(LinkInvalid):
            await accept(world, carl, token)
    with pytest.raises(LinkInvalid):
        await look_up_invitation(world.deps, token)


async def test_the_link_is_of_use_to_the_invited_address_only(world: World) -> None:
    ada = await world.owner()
    await send(world, ada)
    token = await world.link(CARL)
    mallory = await world.person("mallory@example.com")
    with pytest.raises(Forbidden) as caught:
        await accept(world, mallory, token)
    assert CARL not in str(caught.value.as_dict())
    assert len(await open_ones(world, ada)) == 1


async def test_it_is_accepted_once_however_many_try_at_once(world: World) -> None:
    ada = await world.owner()
    await send(world, ada)
    token, carl = await world.link(CARL), await world.person(CARL)
    await send(world, ada, "dora@example.com")
    token = link_of((await world.letters(CARL))[1])
    answers = await asyncio.gather(*(accept(world, carl, token) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(answer, LinkInvalid) for answer in answers) == 19


async def test_inviting_again_replaces_the_link(world: World) -> None:
    ada = await world.owner()
    await send(world, ada)
    old = await world.link(CARL)
    await send(world, ada, role="admin")
    new = await world.link(CARL)

    with pytest.raises(LinkInvalid):
        await look_up_invitation(world.deps, old)
    assert (await look_up_invitation(world.deps, new)).role == "admin"
    assert [view.role for view in await open_ones(world, ada)] == ["admin"]


async def test_the_same_form_sent_twice_sends_one_mail(world: World) -> None:
    ada, invitation_id = await world.owner(), uuid4()

    async def submit() -> InvitationView:
        async with world.deps.change_as(ada, "req_test") as ctx:
            return await invite(ctx, ada, email=CARL, role="viewer", invitation_id=invitation_id)

    first, *others = await asyncio.gather(*(submit() for _ in range(5)))
    assert all(other == first for other in others)
    assert len(await world.letters(CARL)) == 1


async def test_a_revoked_or_old_invitation_is_over(world: World) -> None:
    ada = await world.owner()
    sent = await send(world, ada)
    token = await world.link(CARL)
    async with world.deps.change_as(ada, "req_test") as ctx:
        await revoke_invitation(ctx, ada, sent.id)
    with pytest.raises(LinkInvalid):
        await look_up_invitation(world.deps, token)
    with pytest.raises(NotFound):
        async with world.deps.change_as(ada, "req_test") as ctx:
            await revoke_invitation(ctx, ada, sent.id)

    await send(world, ada)
    token = await world.link(CARL)
    world.clock.advance(timedelta(days=7))
    with pytest.raises(LinkInvalid):
        await look_up_invitation(world.deps, token)
    assert await open_ones(world, ada) == []
    await send(world, ada)


async def test_revoking_and_accepting_at_once_end_in_one_of_the_two(world: World) -> None:
    ada = await world.owner()
    carl = await world.person(CARL)
    for _ in range(5):
        sent = await send(world, ada)
        token = await world.link(CARL)

        async def revoke(invitation: InvitationView = sent) -> None:
            async with world.deps.change_as(ada, None) as ctx:
                await revoke_invitation(ctx, ada, invitation.id)

        revoked, accepted = await asyncio.gather(revoke(), accept(world, carl, token), return_exceptions=True)
        assert (revoked is None) != (accepted is None), (revoked, accepted)
        if accepted is None:
            async with world.deps.change_as(ada, None) as ctx:
                await remove_member(ctx, ada, carl.account_id)
        world.clock.advance(timedelta(days=1))


async def test_a_member_is_not_invited_again(world: World) -> None:
    ada = await world.owner()
    await world.member(ada, CARL, "viewer")
    with pytest.raises(Conflict) as caught:
        await send(world, ada)
    assert caught.value.data["field"] == "email"


async def test_who_became_a_member_meanwhile_keeps_the_role(world: World) -> None:
    ada = await world.owner()
    carl = await world.member(ada, CARL, "admin")
    other = await world.member(ada, "bob@example.com", "viewer")
    async with world.deps.change_as(ada, None) as ctx:
        await remove_member(ctx, ada, carl.account_id)
    await send(world, ada, role="viewer")
    token = await world.link(CARL)
    person = Person(carl.account_id, carl.email, carl.name, staff=False)
    await accept(world, person, token)
    assert (await world.scope(carl.account_id, other)).role == "viewer"


@pytest.mark.parametrize(("role", "offers"), [("admin", "owner"), ("developer", "viewer"), ("viewer", "viewer")])
async def test_nobody_offers_what_is_not_his_to_give(world: World, role: str, offers: str) -> None:
    ada = await world.owner()
    dora = await world.member(ada, "dora@example.com", role)
    with pytest.raises(Forbidden):
        await send(world, dora, role=offers)
    assert await world.letters(CARL) == []


async def test_an_admin_does_not_revoke_what_an_owner_offered_an_owner(world: World) -> None:
    ada = await world.owner()
    admin = await world.member(ada, "dora@example.com", "admin")
    sent = await send(world, ada, role="owner")
    with pytest.raises(Forbidden):
        async with world.deps.change_as(admin, None) as ctx:
            await revoke_invitation(ctx, admin, sent.id)


async def test_anothers_invitation_looks_like_none(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    sent = await send(world, bob)
    refusals = []
    for invitation_id in (sent.id, uuid4()):
        with pytest.raises(NotFound) as caught:
            async with world.deps.change_as(ada, None) as ctx:
                await revoke_invitation(ctx, ada, invitation_id)
        refusals.append(caught.value.as_dict())
    assert refusals[0] == refusals[1]
    assert await open_ones(world, ada) == []
    assert await open_ones(world, bob) == [sent]


async def test_one_address_gets_five_invitations_a_day_at_most(world: World) -> None:
    ada = await world.owner()
    for _ in range(5):
        await send(world, ada)
    with pytest.raises(RateLimited):
        await send(world, ada)
    await send(world, ada, "dora@example.com")
    world.clock.advance(timedelta(days=1))
    await send(world, ada)


@pytest.mark.parametrize(("email", "role", "field"), [("carl", "viewer", "email"), (CARL, "king", "role")])
async def test_bad_input_is_named(world: World, email: str, role: str, field: str) -> None:
    ada = await world.owner()
    with pytest.raises(InvalidInput) as caught:
        await send(world, ada, email, role)
    assert caught.value.data["field"] == field


@pytest.mark.parametrize("token", ["", "x", "\ud800", "é"])
async def test_what_is_no_link_is_refused(shared_world: World, token: str) -> None:
    with pytest.raises(LinkInvalid):
        await look_up_invitation(shared_world.deps, token)
