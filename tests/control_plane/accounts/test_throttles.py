"""Throttles count together, in every process and at any speed."""

import asyncio
from datetime import timedelta

import pytest

from control_plane.accounts.client import Client
from control_plane.accounts.throttles import Rule, take
from kernel.errors import RateLimited
from tests.control_plane.fixtures import World

RULE = Rule("test", 5, timedelta(seconds=10))


async def allowed(world: World, subject: str = "x", rule: Rule = RULE) -> bool:
    try:
        await take(world.deps, (rule, subject))
    except RateLimited:
        return False
    return True


async def test_a_burst_and_then_one_every_interval(world: World) -> None:
    assert [await allowed(world) for _ in range(7)] == [True] * 5 + [False] * 2
    world.clock.advance(timedelta(seconds=9.9))
    assert not await allowed(world)
    world.clock.advance(timedelta(seconds=0.1))
    assert [await allowed(world) for _ in range(2)] == [True, False]
    world.clock.advance(timedelta(days=1))
    assert [await allowed(world) for _ in range(6)] == [True] * 5 + [False]


async def test_never_more_than_the_rate_and_the_burst_over_any_time(world: World, second: World) -> None:
    passed = 0
    for step in range(100):
        passed += await allowed(world if step % 2 else second)
        world.clock.advance(timedelta(seconds=1))
    assert passed == 5 + 99 // 10


async def test_many_at_once_from_two_processes_get_the_burst_and_no_more(world: World, second: World) -> None:
    answers = await asyncio.gather(*(allowed(each) for each in (world, second) for _ in range(20)))
    assert sum(answers) == 5


async def test_subjects_and_rules_do_not_know_each_other(world: World) -> None:
    for _ in range(6):
        await allowed(world)
    assert await allowed(world, "y")
    assert await allowed(world, "x", Rule("other", 5, timedelta(seconds=10)))


async def test_calls_of_several_subjects_in_any_order_do_not_lock_each_other_out(world: World, second: World) -> None:
    wide = Rule("wide", 1_000, timedelta(seconds=1))

    async def both(each: World, first: str, then: str) -> None:
        await take(each.deps, (wide, first), (wide, then))

    await asyncio.gather(
        *(both(each, *pair) for each in (world, second) for pair in (("a", "b"), ("b", "a")) for _ in range(20))
    )


async def test_the_refusal_says_how_long_to_wait(world: World) -> None:
    slow = Rule("slow", 1, timedelta(minutes=10))
    await take(world.deps, (slow, "x"))
    world.clock.advance(timedelta(seconds=30))
    with pytest.raises(RateLimited, match="Try again in 10 minutes") as caught:
        await take(world.deps, (slow, "x"), (RULE, "x"))
    assert caught.value.retry_after == 570


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "unix", False),
    ],
)
def test_a_network_is_what_one_person_has_at_least(one: str, other: str, same: bool) -> None:
    assert (Client(one).network == Client(other).network) is same
