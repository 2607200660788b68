"""Resetting a password proves the mailbox, ends what was open, and tells nobody who has an account."""

import asyncio
from datetime import timedelta

import pytest

from control_plane.accounts.errors import LinkInvalid, WrongCredentials
from control_plane.accounts.reset import look_up_reset, request_reset, reset_password
from control_plane.accounts.sessions import resolve
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import confirm, sign_up
from kernel.errors import InvalidInput, RateLimited
from tests.control_plane.fixtures import PASSWORD, World

EMAIL = "ada@example.com"
NEW = "another good password"


async def ask(world: World, email: str = EMAIL) -> str:
    await request_reset(world.deps, email=email, client=world.client())
    return await world.link(email)


async def test_a_reset_replaces_the_password_ends_every_session_and_signs_in(world: World) -> None:
    person = await world.person()
    before = await sign_in(world.deps, email=EMAIL, password=PASSWORD, client=world.client())
    token = await ask(world)
    assert await look_up_reset(world.deps, token) == EMAIL

    session = await reset_password(world.deps, token, password=NEW, client=world.client())

    assert session.person == person
    assert await resolve(world.deps, before.token) is None
    assert await resolve(world.deps, session.token) is not None
    with pytest.raises(WrongCredentials):
        await sign_in(world.deps, email=EMAIL, password=PASSWORD, client=world.client())
    await sign_in(world.deps, email=EMAIL, password=NEW, client=world.client())
    assert (await world.letters(EMAIL))[0].kind == "password_changed"


async def test_an_unknown_address_gets_a_mail_without_a_link_that_opens_anything(world: World) -> None:
    await request_reset(world.deps, email="nobody@example.com", client=world.client())
    (letter,) = await world.letters("nobody@example.com")
    assert letter.kind == "no_account"
    assert "/reset/" not in letter.text + letter.html


async def test_a_link_works_once_however_many_try_at_once(world: World) -> None:
    await world.person()
    token = await ask(world)

    answers = await asyncio.gather(
        *(reset_password(world.deps, token, password=f"password number {n}", client=world.client()) for n in range(20)),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, LinkInvalid) for answer in answers) == 19
    worked = next(number for number, answer in enumerate(answers) if not isinstance(answer, BaseException))
    await sign_in(world.deps, email=EMAIL, password=f"password number {worked}", client=world.client())


async def test_a_used_link_takes_all_open_ones_with_it(world: World) -> None:
    await world.person()
    first, second = await ask(world), await ask(world)
    await reset_password(world.deps, second, password=NEW, client=world.client())
    for token in (first, second):
        with pytest.raises(LinkInvalid):
            await reset_password(world.deps, token, password="yet another password", client=world.client())


async def test_a_link_ends_after_an_hour(world: World) -> None:
    await world.person()
    token = await ask(world)
    world.clock.advance(timedelta(hours=1))
    with pytest.raises(LinkInvalid):
        await look_up_reset(world.deps, token)
    with pytest.raises(LinkInvalid):
        await reset_password(world.deps, token, password=NEW, client=world.client())


async def test_a_password_that_will_not_do_leaves_the_link(world: World) -> None:
    await world.person()
    token = await ask(world)
    with pytest.raises(InvalidInput):
        await reset_password(world.deps, token, password="short", client=world.client())
    await reset_password(world.deps, token, password=NEW, client=world.client())


async def test_links_are_good_for_their_own_purpose_only(world: World) -> None:
    cookie = await sign_up(world.deps, email=EMAIL, name="Ada", password=PASSWORD, client=world.client())
    verify, reset = await world.link(EMAIL), await ask(world)
    with pytest.raises(LinkInvalid):
        await reset_password(world.deps, verify, password=NEW, client=world.client())
    with pytest.raises(LinkInvalid):
        await confirm(world.deps, reset, cookie=cookie, client=world.client())


async def test_a_reset_of_an_unproven_address_proves_it_and_ends_what_others_began(world: World) -> None:
    cookie = await sign_up(world.deps, email=EMAIL, name="Mallory", password=PASSWORD, client=world.client())
    mallorys = await world.link(EMAIL)
    await reset_password(world.deps, await ask(world), password=NEW, client=world.client())

    with pytest.raises(LinkInvalid):
        await confirm(world.deps, mallorys, cookie=cookie, client=world.client())
    assert await sign_in(world.deps, email=EMAIL, password=NEW, client=world.client())


async def test_mails_are_throttled_for_known_and_unknown_alike(world: World) -> None:
    await world.person()
    world.clock.advance(timedelta(hours=1))
    for email in (EMAIL, "nobody@example.com"):
        for _ in range(5):
            await request_reset(world.deps, email=email, client=world.client())
        with pytest.raises(RateLimited):
            await request_reset(world.deps, email=email, client=world.client())
