"""Staff is made beside the server; the machine's owner comes to the outbox, and nowhere else."""

import asyncio
from datetime import timedelta

import pytest

from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.local import create_outbox_link, look_up_local, open_local
from control_plane.accounts.reset import reset_password
from control_plane.accounts.sessions import resolve
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.staff import create_staff
from tests.control_plane.fixtures import PASSWORD, World


async def test_a_new_staff_account_sets_its_password_by_the_link(world: World) -> None:
    async with world.change() as ctx:
        made = await create_staff(ctx, email="Root@Example.com")
    head, _, token = made.url.rpartition("/")
    assert (made.created, head) == (True, f"{world.deps.settings.portal}/reset")

    world.clock.advance(timedelta(hours=23))
    session = await reset_password(world.deps, token, password=PASSWORD, client=world.client())
    assert session.person is not None
    assert (session.person.email, session.person.name, session.person.staff) == ("root@example.com", "root", True)


async def test_an_account_that_is_there_keeps_its_name_and_password(world: World) -> None:
    ada = await world.person()
    async with world.change() as ctx:
        made = await create_staff(ctx, email="ada@example.com", name="Root")
    assert (made.created, made.account_id) == (False, ada.public_id)
    session = await sign_in(world.deps, email="ada@example.com", password=PASSWORD, client=world.client())
    assert session.person is not None
    assert (session.person.name, session.person.staff) == ("Ada", True)


async def outbox_token(world: World) -> str:
    async with world.change() as ctx:
        url = await create_outbox_link(ctx)
    head, _, token = url.rpartition("/")
    assert head == f"{world.deps.settings.portal}/local"
    return token


async def test_the_owners_link_opens_a_session_of_nobody_for_twelve_hours(world: World) -> None:
    token = await outbox_token(world)
    await look_up_local(world.deps, token)
    session = await open_local(world.deps, token, client=world.client())
    signed_in = await resolve(world.deps, session.token)
    assert signed_in is not None
    assert (signed_in.kind, signed_in.person) == ("owner", None)
    world.clock.advance(timedelta(hours=12))
    assert await resolve(world.deps, session.token) is None


async def test_the_owners_link_works_once_however_many_try_at_once(world: World) -> None:
    token = await outbox_token(world)
    answers = await asyncio.gather(
        *(open_local(world.deps, token, client=world.client()) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, LinkInvalid) for answer in answers) == 19
    with pytest.raises(LinkInvalid):
        await look_up_local(world.deps, token)


async def test_the_owners_link_ends_after_a_day_and_opens_no_account(world: World) -> None:
    token = await outbox_token(world)
    with pytest.raises(LinkInvalid):
        await reset_password(world.deps, token, password=PASSWORD, client=world.client())
    world.clock.advance(timedelta(days=1))
    with pytest.raises(LinkInvalid):
        await open_local(world.deps, token, client=world.client())
