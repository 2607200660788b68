"""Two-step sign-in: a code signs in once, whoever tries it at the same moment; a lost phone is no lost account."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from control_plane.accounts.authenticators import let_in, offer, renew_codes, standing, turn_off, turn_on
from control_plane.accounts.errors import LinkInvalid, WrongCode, WrongCredentials
from control_plane.accounts.profile import change_password
from control_plane.accounts.reset import request_reset, reset_password
from control_plane.accounts.second_step import SecondStep, finish_sign_in
from control_plane.accounts.sessions import NewSession, resolve
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.step_up import GOOD_FOR, confirm_session, is_confirmed
from kernel.errors import Conflict, InvalidInput, NotFound, RateLimited
from tests.control_plane.accounts.second_steps import first_step, offered_app, signed_in, two_step_on
from tests.control_plane.fixtures import PASSWORD, World

AT_ONCE = 50


async def forget_tries(world: World) -> None:
    async with world.deps.database.unit_of_work() as uow:
        await uow.session.execute(text("delete from control.throttles"))


async def test_it_counts_from_the_first_right_code_on(world: World) -> None:
    ada = await world.person()
    who, session = await signed_in(world, ada)
    _, other = await signed_in(world, ada)
    first = await offered_app(world, ada)
    app = await offered_app(world, ada)
    for code in ("000000", first.code(world.clock.now()), app.code(world.clock.now(), later=3), "", "1234567"):
        with pytest.raises(WrongCode):
            await turn_on(world.deps, who, code=code, client=world.client())
    assert isinstance(await sign_in(world.deps, email=ada.email, password=PASSWORD, client=world.client()), NewSession)

    spaced = f"{app.code(world.clock.now())[:3]} {app.code(world.clock.now())[3:]}"
    codes = await turn_on(world.deps, who, code=spaced, client=world.client())
    assert len(set(codes)) == 10
    assert await resolve(world.deps, session.token) is not None
    assert await resolve(world.deps, other.token) is None, "every other session ended"
    assert (await world.letters(ada.email))[0].subject == "Two-step sign-in is on"
    with pytest.raises(Conflict):
        async with world.change() as ctx:
            await offer(ctx, ada.account_id)


async def test_a_code_signs_in_once_however_many_try_it_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.accounts.throttles.take", _never)  # The throttle would let six try.
    ada = await world.person()
    app, codes, _ = await two_step_on(world, ada)
    world.clock.advance(timedelta(seconds=30))
    for code in (app.code(world.clock.now()), codes[0]):
        steps = [await first_step(world, ada) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(
            *(finish_sign_in(world.deps, step.token, code=code, client=world.client()) for step in steps),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, NewSession) for answer in answers) == 1
        assert sum(isinstance(answer, WrongCode) for answer in answers) == AT_ONCE - 1


async def _never(*_: object) -> None:
    pass


async def test_the_code_of_the_enrolment_and_older_ones_do_not_sign_in(world: World) -> None:
    ada = await world.person()
    app, _, _ = await two_step_on(world, ada)
    step, now = await first_step(world, ada), world.clock.now()
    for later in (-1, 0):
        with pytest.raises(WrongCode):
            await finish_sign_in(world.deps, step.token, code=app.code(now, later), client=world.client())
    assert await finish_sign_in(world.deps, step.token, code=app.code(now, later=1), client=world.client())
    with pytest.raises(LinkInvalid):
        await finish_sign_in(world.deps, step.token, code=app.code(now, later=1), client=world.client())


async def test_the_first_step_waits_ten_minutes_and_ends_with_the_password(world: World) -> None:
    ada = await world.person()
    app, _, session = await two_step_on(world, ada)
    late, ended = await first_step(world, ada), await first_step(world, ada)
    assert await resolve(world.deps, late.token) is None, "it is no session"
    await change_password(world.deps, ada, current=PASSWORD, new="another good password", client=world.client())
    assert await resolve(world.deps, session.token) is None
    with pytest.raises(LinkInvalid):
        await finish_sign_in(world.deps, ended.token, code=app.code(world.clock.now(), 1), client=world.client())
    world.clock.advance(timedelta(minutes=10))
    with pytest.raises(LinkInvalid):
        await finish_sign_in(world.deps, late.token, code=app.code(world.clock.now()), client=world.client())


async def test_a_recovery_code_works_once_and_is_worth_a_mail(world: World) -> None:
    ada = await world.person()
    _, codes, _ = await two_step_on(world, ada)
    for code, typed in ((codes[0], codes[0].upper().replace("-", " ")), (codes[1], codes[1])):
        step = await first_step(world, ada)
        assert await finish_sign_in(world.deps, step.token, code=typed, client=world.client())
        with pytest.raises(WrongCode):
            await finish_sign_in(world.deps, (await first_step(world, ada)).token, code=code, client=world.client())
    letter = (await world.letters(ada.email))[0]
    assert "8 of your recovery codes are left." in letter.text
    async with world.deps.database.unit_of_work() as uow:
        assert (await standing(uow.session, ada.account_id)).codes_left == 8
        digests = (await uow.session.execute(text("select digest from control.recovery_codes"))).scalars().all()
    assert not any(code.replace("-", "") in digest for code in codes for digest in digests)


async def test_new_recovery_codes_end_those_before(world: World) -> None:
    ada = await world.person()
    _, before, _ = await two_step_on(world, ada)
    async with world.change() as ctx:
        after = await renew_codes(ctx, ada.account_id)
    assert not set(before) & set(after)
    step = await first_step(world, ada)
    with pytest.raises(WrongCode):
        await finish_sign_in(world.deps, step.token, code=before[0], client=world.client())
    assert await finish_sign_in(world.deps, step.token, code=after[0], client=world.client())


async def test_another_accounts_codes_are_nothing(world: World) -> None:
    ada, bob = await world.person(), await world.person("bob@example.com", "Bob")
    await two_step_on(world, ada)
    app, codes, _ = await two_step_on(world, bob)
    step = await first_step(world, ada)
    for code in (codes[0], app.code(world.clock.now(), later=1)):
        with pytest.raises(WrongCode):
            await finish_sign_in(world.deps, step.token, code=code, client=world.client())


async def test_guesses_are_counted_by_account_and_not_by_first_step(world: World) -> None:
    ada = await world.person()
    app, _, _ = await two_step_on(world, ada)
    for _ in range(6):
        with pytest.raises(WrongCode):
            await finish_sign_in(world.deps, (await first_step(world, ada)).token, code="000000", client=world.client())
    step = await first_step(world, ada)
    with pytest.raises(RateLimited):
        await finish_sign_in(world.deps, step.token, code=app.code(world.clock.now(), 1), client=world.client())
    world.clock.advance(timedelta(minutes=2))
    assert await finish_sign_in(world.deps, step.token, code=app.code(world.clock.now()), client=world.client())


async def test_a_mailbox_alone_is_no_way_around_the_second_step(world: World) -> None:
    ada = await world.person()
    app, _, _ = await two_step_on(world, ada)
    await request_reset(world.deps, email=ada.email, client=world.client())
    entered = await reset_password(
        world.deps, await world.link(ada.email), password="a fresh good password", client=world.client()
    )
    assert isinstance(entered, SecondStep)
    assert await finish_sign_in(
        world.deps, entered.token, code=app.code(world.clock.now(), later=1), client=world.client()
    )


async def test_off_is_off(world: World) -> None:
    ada = await world.person()
    app, codes, session = await two_step_on(world, ada)
    who = await resolve(world.deps, session.token)
    waiting = await first_step(world, ada)
    assert who is not None
    async with world.change() as ctx:
        await turn_off(ctx, who)
    assert (await world.letters(ada.email))[0].subject == "Two-step sign-in is off"
    assert isinstance(await sign_in(world.deps, email=ada.email, password=PASSWORD, client=world.client()), NewSession)
    for code in (app.code(world.clock.now(), later=1), codes[0]):
        with pytest.raises(WrongCode):
            await finish_sign_in(world.deps, waiting.token, code=code, client=world.client())
    for use_case in (lambda ctx: turn_off(ctx, who), lambda ctx: renew_codes(ctx, ada.account_id)):
        with pytest.raises(Conflict):
            async with world.change() as ctx:
                await use_case(ctx)


async def test_the_operator_lets_in_who_has_lost_everything(world: World) -> None:
    ada = await world.person()
    _, _, session = await two_step_on(world, ada)
    async with world.change() as ctx:
        await let_in(ctx, "ADA@example.com")
    assert await resolve(world.deps, session.token) is None
    assert (await world.letters(ada.email))[0].subject == "Two-step sign-in is off"
    assert isinstance(await sign_in(world.deps, email=ada.email, password=PASSWORD, client=world.client()), NewSession)
    for email, refusal in ((ada.email, Conflict), ("nobody@example.com", NotFound)):
        with pytest.raises(refusal):
            async with world.change() as ctx:
                await let_in(ctx, email)


async def test_a_session_is_confirmed_for_ten_minutes_and_then_by_password_or_code(world: World) -> None:
    ada = await world.person()
    app, codes, session = await two_step_on(world, ada)
    world.clock.advance(GOOD_FOR - timedelta(seconds=1))
    who = await resolve(world.deps, session.token)
    assert who is not None
    assert is_confirmed(who, world.clock.now())
    world.clock.advance(timedelta(seconds=1))
    assert not is_confirmed(who, world.clock.now())

    for typed, refusal in (
        ({}, InvalidInput),
        ({"password": "not the password"}, WrongCredentials),
        ({"code": "000000"}, WrongCode),
        ({"code": "nonsense"}, WrongCode),
    ):
        with pytest.raises(refusal):
            await confirm_session(world.deps, who, **typed, client=world.client())
    token = session.token
    for typed in ({"password": PASSWORD}, {"code": app.code(world.clock.now())}, {"code": codes[3]}):
        fresh = await confirm_session(world.deps, who, **typed, client=world.client())
        assert await resolve(world.deps, token) is None, "a copy of the old token is worth nothing"
        found = await resolve(world.deps, token := fresh.token)
        assert found is not None
        assert (found.session_id, found.confirmed_at) == (who.session_id, world.clock.now())
    with pytest.raises(WrongCode):
        await confirm_session(world.deps, who, code=codes[3], client=world.client())


async def test_guesses_at_a_session_are_throttled_as_those_at_the_door(world: World) -> None:
    ada = await world.person()
    who, _ = await signed_in(world, ada)
    for _ in range(10):
        with pytest.raises(WrongCredentials):
            await confirm_session(world.deps, who, password="a wrong password", client=world.client())
    with pytest.raises(RateLimited):
        await confirm_session(world.deps, who, password=PASSWORD, client=world.client())
