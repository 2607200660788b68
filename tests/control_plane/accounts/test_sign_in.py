"""Signing in says nothing of who has an account, neither in words nor by the time it takes."""

import asyncio
import dataclasses
import statistics
import time
from datetime import timedelta

import pytest

from control_plane.accounts.errors import WrongCredentials
from control_plane.accounts.passwords import Passwords
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import sign_up
from control_plane.context import Deps
from kernel.errors import InvalidInput, RateLimited, Unavailable
from tests.control_plane.fixtures import PASSWORD, World


class CountingPasswords(Passwords):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__(memory_kib=64, time_cost=1)
        self.calls: list[str] = []

    async def hash(self, password: str) -> str:
        self.calls.append("hash")
        return await super().hash(password)

    async def verify(self, stored: str | None, password: str) -> bool:
        self.calls.append("verify")
        return await super().verify(stored, password)


async def attempt(world: World, deps: Deps, email: str, password: str = "a wrong password") -> WrongCredentials:
    with pytest.raises(WrongCredentials) as caught:
        await sign_in(deps, email=email, password=password, client=world.client())
    return caught.value


async def test_unknown_unconfirmed_and_wrong_are_the_same_refusal_after_the_same_work(world: World) -> None:
    await world.person("known@example.com")
    await sign_up(world.deps, email="unconfirmed@example.com", name="U", password=PASSWORD, client=world.client())
    passwords = CountingPasswords()
    deps = dataclasses.replace(world.deps, passwords=passwords)

    refusals = [
        await attempt(world, deps, email, password)
        for email in ("known@example.com", "unconfirmed@example.com", "unknown@example.com")
        for password in ("a wrong password", "", "x" * 5_000)
    ]

    assert len({(type(refusal), refusal.message, str(refusal.data)) for refusal in refusals}) == 1
    assert passwords.calls == ["verify"] * len(refusals)


class HastyPasswords(Passwords):
    """The mistake that the test below must find: no account, no work."""

    async def verify(self, stored: str | None, password: str) -> bool:
        return stored is not None and await super().verify(stored, password)


async def known_to_unknown(world: World, passwords: Passwords) -> float:
    """How much longer a wrong password for an account takes than one for none: medians of one run, turn by turn.

    Counted in the process's own time, because the clock on the wall tells what else the machine does.
    """
    deps = dataclasses.replace(world.deps, passwords=passwords)
    # The account's hash is a real one too: a hash is verified with the parameters that it was made with.
    await World(deps, world.clock, world.admin_url).person("known@example.com")
    taken: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(24):
        for kind in taken:
            began = time.process_time()
            await attempt(world, deps, f"{kind}@example.com")
            if number >= 4:  # The first ones warm up.
                taken[kind].append(time.process_time() - began)
        world.clock.advance(timedelta(minutes=1))
    known, unknown = (statistics.median(times) for times in taken.values())
    return known / unknown


async def test_it_takes_as_long_for_an_unknown_address(world: World) -> None:
    assert 0.8 < await known_to_unknown(world, Passwords()) < 1.25


async def test_a_hash_that_is_saved_for_unknown_addresses_shows(world: World) -> None:
    assert await known_to_unknown(world, HastyPasswords()) > 2


async def test_every_sign_in_is_a_session_of_its_own_with_a_token_of_its_own(world: World) -> None:
    await world.person()
    sessions = [
        await sign_in(world.deps, email="ADA@example.com", password=PASSWORD, client=world.client()) for _ in range(3)
    ]
    assert len({session.token for session in sessions}) == 3
    assert len({session.session_id for session in sessions}) == 3


async def test_guesses_at_one_address_are_throttled_from_wherever_they_come(world: World) -> None:
    await world.person()
    for _ in range(10):
        await attempt(world, world.deps, "ada@example.com")
    for password in ("a wrong password", PASSWORD):
        with pytest.raises(RateLimited) as caught:
            await sign_in(world.deps, email="ada@example.com", password=password, client=world.client())
        assert caught.value.retry_after == 60

    world.clock.advance(timedelta(minutes=1))
    assert await sign_in(world.deps, email="ada@example.com", password=PASSWORD, client=world.client())


async def test_an_unknown_address_is_throttled_alike(world: World) -> None:
    for _ in range(10):
        await attempt(world, world.deps, "nobody@example.com")
    with pytest.raises(RateLimited):
        await sign_in(world.deps, email="nobody@example.com", password=PASSWORD, client=world.client())


async def test_who_signs_in_rightly_is_not_held_up(world: World) -> None:
    await world.person()
    for _ in range(25):
        await sign_in(world.deps, email="ada@example.com", password=PASSWORD, client=world.client())


async def test_guesses_from_one_address_of_the_network_are_throttled_whomever_they_try(world: World) -> None:
    client = world.client()
    for number in range(60):
        with pytest.raises(WrongCredentials):
            await sign_in(world.deps, email=f"u{number}@example.com", password=PASSWORD, client=client)
    with pytest.raises(RateLimited) as caught:
        await sign_in(world.deps, email="another@example.com", password=PASSWORD, client=client)
    assert caught.value.retry_after == 6


async def test_a_hash_of_old_parameters_is_renewed(world: World) -> None:
    await world.person()
    stronger = dataclasses.replace(world.deps, passwords=Passwords(memory_kib=128, time_cost=1))

    for deps in (stronger, stronger, world.deps):
        assert await sign_in(deps, email="ada@example.com", password=PASSWORD, client=world.client())


async def test_what_is_no_address_is_named(shared_world: World) -> None:
    with pytest.raises(InvalidInput) as caught:
        await sign_in(shared_world.deps, email="ada", password=PASSWORD, client=shared_world.client())
    assert caught.value.data["field"] == "email"


async def test_the_default_hash_is_argon2id_of_at_least_19_mib_and_two_rounds() -> None:
    assert (await Passwords().hash("x")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_rush_is_turned_away_before_it_takes_memory() -> None:
    passwords = Passwords()
    answers = await asyncio.gather(*(passwords.hash("x") for _ in range(60)), return_exceptions=True)
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 20
    assert await passwords.verify(await passwords.hash("x"), "x")
