"""Sessions end: by time, by idleness, by their owner, and all of them when the password changes."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from control_plane.accounts.client import Client
from control_plane.accounts.errors import WrongCredentials
from control_plane.accounts.person import Person
from control_plane.accounts.profile import change_name, change_password
from control_plane.accounts.sessions import (
    NewSession,
    SignedIn,
    end_other_sessions,
    end_session,
    list_sessions,
    resolve,
    sign_out,
)
from control_plane.accounts.sign_in import sign_in
from kernel.errors import InvalidInput, NotFound
from tests.control_plane.fixtures import PASSWORD, World


async def enter(world: World, email: str = "ada@example.com", password: str = PASSWORD) -> NewSession:
    return await sign_in(world.deps, email=email, password=password, client=world.client())


async def test_a_token_names_its_person(world: World) -> None:
    person = await world.person()
    session = await enter(world)
    assert await resolve(world.deps, session.token) == SignedIn(
        session.session_id, "account", person, world.clock.now()
    )


@pytest.mark.parametrize("token", ["", "x" * 43, "é" * 43, "\ud800", "'; --"])
async def test_what_is_no_token_names_nobody(shared_world: World, token: str) -> None:
    assert await resolve(shared_world.deps, token) is None


async def test_a_session_ends_after_three_idle_days(world: World) -> None:
    await world.person()
    idle, used = await enter(world), await enter(world)
    for _ in range(3):
        world.clock.advance(timedelta(days=1))
        assert await resolve(world.deps, used.token) is not None
    assert await resolve(world.deps, idle.token) is None


async def test_a_session_ends_after_fourteen_days_however_much_it_is_used(world: World) -> None:
    await world.person()
    session = await enter(world)
    assert session.expires_at == world.clock.now() + timedelta(days=14)
    for _ in range(13):
        world.clock.advance(timedelta(days=1))
        assert await resolve(world.deps, session.token) is not None
    world.clock.advance(timedelta(days=1))
    assert await resolve(world.deps, session.token) is None


async def test_being_seen_is_written_once_a_minute_at_most(world: World) -> None:
    person = await world.person()
    session = await enter(world)
    began = world.clock.now()
    seen = []
    for seconds in (30, 29, 2, 30):
        world.clock.advance(timedelta(seconds=seconds))
        await resolve(world.deps, session.token)
        async with world.deps.database.unit_of_work() as uow:
            views = await list_sessions(uow.session, person.account_id, now=world.clock.now())
        seen.append((next(view for view in views if view.id == session.session_id).last_seen_at - began).seconds)
    assert seen == [0, 0, 61, 61]


async def test_a_person_sees_and_ends_its_own_sessions_only(world: World) -> None:
    ada, bob = await world.person(), await world.person("bob@example.com")
    first, second = await enter(world), await enter(world)
    bobs = await enter(world, "bob@example.com")
    async with world.deps.database.unit_of_work() as uow:
        views = await list_sessions(uow.session, ada.account_id, now=world.clock.now())
    assert {view.id for view in views} > {first.session_id, second.session_id}
    assert bobs.session_id not in {view.id for view in views}

    for session_id in (bobs.session_id, uuid4()):
        with pytest.raises(NotFound):
            async with world.change() as ctx:
                await end_session(ctx, ada.account_id, session_id)
    async with world.change() as ctx:
        await end_session(ctx, ada.account_id, first.session_id)
    assert await resolve(world.deps, first.token) is None
    async with world.change() as ctx:
        assert await end_other_sessions(ctx, ada.account_id, keep=second.session_id) == 1
    assert await resolve(world.deps, second.token) is not None
    assert await resolve(world.deps, bobs.token) == SignedIn(bobs.session_id, "account", bob, world.clock.now())


async def test_signing_out_ends_the_session_and_may_be_done_twice(world: World) -> None:
    await world.person()
    session = await enter(world)
    signed_in = await resolve(world.deps, session.token)
    assert signed_in is not None
    for _ in range(2):
        async with world.change() as ctx:
            await sign_out(ctx, signed_in)
    assert await resolve(world.deps, session.token) is None


async def change(world: World, person: Person, current: str, new: str) -> NewSession:
    return await change_password(world.deps, person, current=current, new=new, client=world.client())


async def test_changing_the_password_ends_every_session_and_begins_a_new_one(world: World) -> None:
    ada = await world.person()
    before = [await enter(world) for _ in range(2)]

    session = await change(world, ada, PASSWORD, "another good password")

    assert [await resolve(world.deps, each.token) for each in before] == [None, None]
    assert await resolve(world.deps, session.token) is not None
    with pytest.raises(WrongCredentials):
        await enter(world)
    await enter(world, password="another good password")
    assert (await world.letters(ada.email))[0].kind == "password_changed"


async def test_changing_the_password_needs_the_current_one_and_a_good_new_one(world: World) -> None:
    ada = await world.person()
    session = await enter(world)
    with pytest.raises(WrongCredentials) as wrong:
        await change(world, ada, "not the current one", "another good password")
    assert wrong.value.data == {"field": "current"}
    with pytest.raises(InvalidInput) as bad:
        await change(world, ada, PASSWORD, "short")
    assert bad.value.data == {"field": "new"}
    assert await resolve(world.deps, session.token) is not None


async def test_a_new_name_is_seen_at_the_next_request(world: World) -> None:
    ada = await world.person()
    session = await enter(world)
    async with world.change() as ctx:
        await change_name(ctx, ada.account_id, "  Countess of Lovelace ")
    signed_in = await resolve(world.deps, session.token)
    assert signed_in is not None
    assert signed_in.person is not None
    assert signed_in.person.name == "Countess of Lovelace"


async def test_where_and_with_what_somebody_signed_in_is_kept_as_it_can_be(world: World) -> None:
    ada = await world.person()
    odd = Client("2001:db8::1", "Lynx\x00\ud800" + "x" * 2_000)
    session = await sign_in(world.deps, email=ada.email, password=PASSWORD, client=odd)
    async with world.deps.database.unit_of_work() as uow:
        query = text("select ip, user_agent from control.sessions where id = :id")
        ip, user_agent = (await uow.session.execute(query, {"id": session.session_id})).one()
    assert ip == "2001:db8::1"
    assert user_agent.startswith("Lynx?xxx")
    assert len(user_agent) == 500
