"""An address changes when the new one is proven by the account itself, and the old one can take it back for 7 days."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from control_plane.accounts.addresses import (
    confirm_change,
    look_up_change,
    look_up_revert,
    request_change,
    revert_change,
)
from control_plane.accounts.errors import LinkInvalid, WrongCredentials
from control_plane.accounts.models import Account
from control_plane.accounts.person import Person
from control_plane.accounts.profile import change_password
from control_plane.accounts.reset import request_reset, reset_password
from control_plane.accounts.second_step import SecondStep
from control_plane.accounts.sessions import NewSession, resolve
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import sign_up
from kernel.errors import Conflict, InvalidInput
from tests.control_plane.accounts.second_steps import signed_in, two_step_on
from tests.control_plane.fixtures import PASSWORD, World, link_of

OLD, NEW = "ada@example.com", "countess@example.com"


async def change(world: World, to: str = NEW) -> str:
    """Ada's address becomes another; the token of the way back."""
    ada = await person_now(world)
    await request_change(world.deps, ada, email=to, client=world.client())
    await confirm_change(world.deps, ada, await world.link(to), client=world.client())
    return await world.link(ada.email)


async def person_now(world: World) -> Person:
    async with world.deps.database.unit_of_work() as uow:
        return Person.of((await uow.session.execute(select(Account).where(Account.name == "Ada"))).scalar_one())


async def emails(world: World) -> set[str]:
    async with world.deps.database.unit_of_work() as uow:
        return set((await uow.session.execute(text("select email from control.accounts"))).scalars())


async def test_nothing_changes_before_the_link_is_opened_and_then_the_new_one_signs_in(world: World) -> None:
    ada = await world.person()
    await request_reset(world.deps, email=OLD, client=world.client())
    to_old = await world.link(OLD)
    await request_change(world.deps, ada, email=" Countess@Example.com ", client=world.client())
    assert await emails(world) == {OLD}
    first = await world.link(NEW)
    await request_change(world.deps, ada, email=NEW, client=world.client())
    with pytest.raises(LinkInvalid):
        await confirm_change(world.deps, ada, first, client=world.client())

    await confirm_change(world.deps, ada, await world.link(NEW), client=world.client())
    assert await emails(world) == {NEW}
    assert (await world.letters(OLD))[0].kind == "address_changed"
    assert NEW in (await world.letters(OLD))[0].text
    assert await sign_in(world.deps, email=NEW, password=PASSWORD, client=world.client())
    with pytest.raises(WrongCredentials):
        await sign_in(world.deps, email=OLD, password=PASSWORD, client=world.client())
    with pytest.raises(LinkInvalid):
        await reset_password(world.deps, to_old, password="a fresh good password", client=world.client())


async def test_a_mistyped_address_does_not_give_the_account_to_its_owner(world: World) -> None:
    ada, stranger = await world.person(), await world.person("typo@example.org", "Stranger")
    await request_change(world.deps, ada, email="tpyo@example.org", client=world.client())
    token = await world.link("tpyo@example.org")
    for step in (
        look_up_change(world.deps, stranger, token),
        confirm_change(world.deps, stranger, token, client=world.client()),
    ):
        with pytest.raises(LinkInvalid):
            await step
    world.clock.advance(timedelta(hours=24))
    with pytest.raises(LinkInvalid):
        await confirm_change(world.deps, ada, token, client=world.client())


async def test_whether_an_address_is_taken_is_told_to_its_mailbox_alone(world: World) -> None:
    ada, bob = await world.person(), await world.person("bob@example.com", "Bob")
    assert await request_change(world.deps, ada, email="BOB@example.com", client=world.client()) == "bob@example.com"
    assert (await world.letters("bob@example.com"))[0].kind == "account_exists"
    for email in (OLD, "no address", ""):
        with pytest.raises(InvalidInput) as caught:
            await request_change(world.deps, ada, email=email, client=world.client())
        assert caught.value.data["field"] == "email"
    # Two want the same free one: the second who opens the link is told.
    for person in (ada, bob):
        await request_change(world.deps, person, email=NEW, client=world.client())
    to_bob, to_ada = await world.letters(NEW)
    await confirm_change(world.deps, ada, link_of(to_ada), client=world.client())
    with pytest.raises(Conflict):
        await confirm_change(world.deps, bob, link_of(to_bob), client=world.client())


async def test_the_old_mailbox_takes_it_back_whatever_the_thief_did_meanwhile(world: World) -> None:
    ada = await world.person()
    _, thiefs = await signed_in(world, ada)
    back = await change(world, "thief@evil.example")
    thief = await person_now(world)
    # A new password, an authenticator, another address, and a link on its way: all that locks the owner out.
    await change_password(world.deps, thief, current=PASSWORD, new=PASSWORD, client=world.client())
    _, _, thiefs = await two_step_on(world, thief)
    world.clock.advance(timedelta(days=3))
    second_back = await change(world, "thief2@evil.example")
    await request_reset(world.deps, email="thief2@evil.example", client=world.client())
    reset_of_thief = await world.link("thief2@evil.example")

    world.clock.advance(timedelta(days=3, hours=23))
    assert (await look_up_revert(world.deps, back)).then_email == OLD
    reset = await revert_change(world.deps, back, client=world.client())
    assert await emails(world) == {OLD}
    assert await resolve(world.deps, thiefs.token) is None
    for token, step in ((second_back, revert_change), (back, revert_change)):
        with pytest.raises(LinkInvalid):
            await step(world.deps, token, client=world.client())
    with pytest.raises(LinkInvalid):
        await reset_password(world.deps, reset_of_thief, password="a fresh good password", client=world.client())
    session = await reset_password(world.deps, reset, password="a fresh good password", client=world.client())
    assert isinstance(session, NewSession), "the thief's authenticator is gone"


async def test_an_authenticator_from_before_the_change_stays(world: World) -> None:
    ada = await world.person()
    await two_step_on(world, ada)
    world.clock.advance(timedelta(minutes=1))
    back = await change(world)
    reset = await revert_change(world.deps, back, client=world.client())
    entered = await reset_password(world.deps, reset, password="a fresh good password", client=world.client())
    assert isinstance(entered, SecondStep)


async def test_the_old_address_stays_free_for_its_owner_for_seven_days(world: World) -> None:
    await world.person()
    bob = await world.person("bob@example.com", "Bob")
    back = await change(world)
    await sign_up(world.deps, email=OLD, name="Squatter", password=PASSWORD, client=world.client())
    await request_change(world.deps, bob, email=OLD, client=world.client())
    assert [letter.kind for letter in (await world.letters(OLD))[:2]] == ["account_exists"] * 2
    assert await emails(world) == {NEW, "bob@example.com"}

    world.clock.advance(timedelta(days=7))
    with pytest.raises(LinkInvalid):
        await revert_change(world.deps, back, client=world.client())
    await sign_up(world.deps, email=OLD, name="New owner", password=PASSWORD, client=world.client())
    assert OLD in await emails(world)
