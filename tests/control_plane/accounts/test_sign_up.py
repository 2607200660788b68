"""Signing up proves an address, tells nobody who is known, and gives nobody a password on another's address."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from billing.tenants import open_tenant
from control_plane.accounts.errors import LinkInvalid, NotConfirmed, WrongCredentials
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import Confirmation, confirm, look_up_confirmation, sign_up
from control_plane.members.scope import scopes_of
from kernel.errors import InvalidInput, RateLimited
from tests.control_plane.fixtures import PASSWORD, World, link_of

EMAIL = "ada@example.com"


async def begin(world: World, email: str = EMAIL, name: str = "Ada", password: str = PASSWORD) -> str:
    return await sign_up(world.deps, email=email, name=name, password=password, client=world.client())


async def test_the_browser_that_signed_up_confirms_by_one_click_and_is_signed_in(world: World) -> None:
    cookie = await begin(world, " Ada@Example.com ")
    token = await world.link(EMAIL)

    assert await look_up_confirmation(world.deps, token, cookie=cookie) == Confirmation(EMAIL, "Ada", False)
    session = await confirm(world.deps, token, cookie=cookie, client=world.client())

    assert session.person is not None
    assert (session.person.email, session.person.name, session.person.staff) == (EMAIL, "Ada", False)
    assert (await sign_in(world.deps, email=EMAIL, password=PASSWORD, client=world.client())).person == session.person


async def test_looking_at_a_link_uses_nothing_up(world: World) -> None:
    cookie = await begin(world)
    token = await world.link(EMAIL)
    for _ in range(3):
        await look_up_confirmation(world.deps, token, cookie=None)
    await confirm(world.deps, token, cookie=cookie, client=world.client())


async def test_another_browser_must_know_the_password(world: World) -> None:
    await begin(world)
    token = await world.link(EMAIL)

    assert (await look_up_confirmation(world.deps, token, cookie=None)).needs_password
    for wrong in (None, "", "another password"):
        with pytest.raises(WrongCredentials) as caught:
            await confirm(world.deps, token, cookie=None, password=wrong, client=world.client())
        assert caught.value.data == {"field": "password"}
    assert await confirm(world.deps, token, cookie=None, password=PASSWORD, client=world.client())


@pytest.mark.parametrize("cookie", ["", ".", "x", "x.y", "\ud800.\ud800", "é.é", "a" * 5_000])
async def test_a_made_up_cookie_is_no_cookie(shared_world: World, cookie: str) -> None:
    email = f"made-up-{abs(hash(cookie))}@example.com"
    await begin(shared_world, email)
    assert (await look_up_confirmation(shared_world.deps, await shared_world.link(email), cookie=cookie)).needs_password


async def test_guesses_at_a_links_password_are_throttled(world: World) -> None:
    await begin(world)
    token = await world.link(EMAIL)
    for _ in range(10):
        with pytest.raises(WrongCredentials):
            await confirm(world.deps, token, cookie=None, password="a wrong password", client=world.client())
    with pytest.raises(RateLimited):
        await confirm(world.deps, token, cookie=None, password=PASSWORD, client=world.client())


async def test_nobody_puts_a_password_on_anothers_address(world: World) -> None:
    mallorys = await begin(world, password="mallory's password", name="Mallory")
    mallorys_link = await world.link(EMAIL)
    adas = await begin(world)
    adas_link = await world.link(EMAIL)
    await begin(world, password="mallory's password", name="Mallory")
    last_link = await world.link(EMAIL)

    # Ada opens any of the three links that lie in her mailbox: only that of her own attempt asks for nothing more.
    for link in (mallorys_link, last_link):
        assert (await look_up_confirmation(world.deps, link, cookie=adas)).needs_password
        with pytest.raises(WrongCredentials):
            await confirm(world.deps, link, cookie=adas, password=PASSWORD, client=world.client())
    await confirm(world.deps, adas_link, cookie=adas, client=world.client())

    with pytest.raises(WrongCredentials):
        await sign_in(world.deps, email=EMAIL, password="mallory's password", client=world.client())
    for link in (mallorys_link, last_link):
        with pytest.raises(LinkInvalid):
            await confirm(world.deps, link, cookie=mallorys, client=world.client())
    assert (await sign_in(world.deps, email=EMAIL, password=PASSWORD, client=world.client())).person is not None


async def test_a_known_address_gets_the_same_answer_and_another_mail(world: World) -> None:
    await world.person()
    known = await begin(world, password="something else entirely")
    unknown = await begin(world, "new@example.com")

    assert len(known) == len(unknown)
    (letter, *_) = await world.letters(EMAIL)
    assert letter.kind == "account_exists"
    assert "/verify/" not in letter.text
    assert "/reset" in letter.text
    with pytest.raises(WrongCredentials):
        await sign_in(world.deps, email=EMAIL, password="something else entirely", client=world.client())


async def test_a_stranger_cannot_write_into_the_letter(world: World) -> None:
    await begin(world, name="Win at https://evil.example now")
    (letter,) = await world.letters()
    assert "evil" not in letter.text + letter.html + letter.subject


async def test_many_sign_ups_at_once_make_one_account(world: World) -> None:
    await asyncio.gather(*(begin(world) for _ in range(5)))

    async with world.deps.database.unit_of_work() as uow:
        assert (await uow.session.execute(text("select count(*) from control.accounts"))).scalar_one() == 1
    assert {letter.kind for letter in await world.letters()} == {"confirm_address"}


async def test_a_link_confirms_once_however_many_try_at_once(world: World) -> None:
    cookie = await begin(world)
    token = await world.link(EMAIL)

    answers = await asyncio.gather(
        *(confirm(world.deps, token, cookie=cookie, client=world.client()) for _ in range(20)), return_exceptions=True
    )

    assert sum(isinstance(answer, LinkInvalid) for answer in answers) == 19
    async with world.deps.database.unit_of_work() as uow:
        assert (await uow.session.execute(text("select count(*) from control.sessions"))).scalar_one() == 1


async def test_two_links_of_one_address_confirm_once(world: World) -> None:
    pairs = []
    for password in ("the first password", "the second password"):
        cookie = await begin(world, password=password)
        pairs.append((await world.link(EMAIL), cookie))

    answers = await asyncio.gather(
        *(confirm(world.deps, token, cookie=cookie, client=world.client()) for token, cookie in pairs * 5),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, LinkInvalid) for answer in answers) == 9


async def test_a_link_ends_after_a_day(world: World) -> None:
    cookie = await begin(world)
    token = await world.link(EMAIL)
    world.clock.advance(timedelta(hours=24))
    with pytest.raises(LinkInvalid):
        await look_up_confirmation(world.deps, token, cookie=cookie)
    with pytest.raises(LinkInvalid):
        await confirm(world.deps, token, cookie=cookie, client=world.client())


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "é", "\ud800", "a/b", "x" * 10_000])
async def test_what_is_no_link_is_refused(shared_world: World, token: str) -> None:
    with pytest.raises(LinkInvalid):
        await look_up_confirmation(shared_world.deps, token, cookie=None)


async def test_who_knows_the_password_of_an_unproven_address_is_told_to_confirm(world: World) -> None:
    await begin(world)
    with pytest.raises(NotConfirmed):
        await sign_in(world.deps, email=EMAIL, password=PASSWORD, client=world.client())
    with pytest.raises(WrongCredentials):
        await sign_in(world.deps, email=EMAIL, password="a wrong password", client=world.client())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "ada"}, "email"),
        ({"name": " "}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"password": "7 chars"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"password": "\ud800" * 12}, "password"),
        ({"password": "NoBody@example.com"}, "password"),
        ({"email": "countess@example.com", "name": "Ada Lovelace", "password": "ada lovelace"}, "password"),
        ({"email": "lovelace-1815@example.com", "password": "Lovelace-1815"}, "password"),
    ],
)
async def test_bad_input_is_named_and_leaves_nothing(shared_world: World, wrong: dict[str, str], field: str) -> None:
    good = {"email": "nobody@example.com", "name": "Ada", "password": PASSWORD}
    with pytest.raises(InvalidInput) as caught:
        await sign_up(shared_world.deps, **{**good, **wrong}, client=shared_world.client())

    assert caught.value.data["field"] == field
    assert await shared_world.letters({**good, **wrong}["email"]) == []


async def test_any_ten_characters_may_be_a_password(world: World) -> None:
    password = "пароль 🔑 \t\n\u00e9"
    cookie = await begin(world, password=password)
    await confirm(world.deps, await world.link(EMAIL), cookie=cookie, client=world.client())
    # The same characters as another keyboard composes them.
    for same in (password, password.replace("\u00e9", "e\u0301")):
        assert await sign_in(world.deps, email=EMAIL, password=same, client=world.client())


async def test_mails_to_one_address_are_throttled_and_the_account_is_not_harmed(world: World) -> None:
    for _ in range(5):
        await begin(world)
    with pytest.raises(RateLimited) as caught:
        await begin(world)
    assert caught.value.retry_after == 600
    assert len(await world.letters(EMAIL)) == 5

    world.clock.advance(timedelta(minutes=10))
    await begin(world)
    await begin(world, "bob@example.com")


async def test_confirming_makes_the_owner_of_organizations_opened_for_the_address(world: World) -> None:
    tenant = await world.tenant()
    person = await world.person()

    async with world.deps.database.unit_of_work() as uow:
        (scope,) = await scopes_of(uow.session, person.account_id)
    assert (scope.public_organization_id, scope.role) == (tenant.organization_id, "owner")


async def test_a_later_one_is_there_after_the_next_sign_in_and_no_members_organization_is_taken(world: World) -> None:
    await world.person()
    bob = await world.owner("bob@example.com", "Bobs")
    async with world.change() as ctx:
        await open_tenant(ctx, email=EMAIL, organization="Later", app="Chat")
        # Its owner's address changes hands; its member stays alone.
        await ctx.session.execute(
            text("insert into control.organizations select gen_random_uuid(), 'Taken', :email, now()"), {"email": EMAIL}
        )
        await ctx.session.execute(
            text(
                "insert into control.memberships select id, :bob, 'owner', now() from control.organizations "
                "where name = 'Taken'"
            ),
            {"bob": bob.account_id},
        )

    session = await sign_in(world.deps, email=EMAIL, password=PASSWORD, client=world.client())

    assert session.person is not None
    async with world.deps.database.unit_of_work() as uow:
        scopes = await scopes_of(uow.session, session.person.account_id)
    assert [scope.organization_name for scope in scopes] == ["Later"]


async def test_the_letters_link_leads_to_the_portal(world: World) -> None:
    await begin(world)
    (letter,) = await world.letters()
    assert f"{world.deps.settings.portal}/verify/{link_of(letter)}" in letter.text
