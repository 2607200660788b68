"""Where many come at once, everybody else has turns in between."""

import asyncio
import time

from data_plane.gateway.turnstile import BUDGET, LONGEST, PAUSE, Turnstile


async def test_a_crowd_is_taken_in_in_order_and_others_go_on_meanwhile() -> None:
    turnstile, done, turns = Turnstile(), [], 0

    def work(number: int) -> None:
        until = time.monotonic() + BUDGET / 4
        while time.monotonic() < until:
            pass
        done.append(number)

    for number in range(40):
        turnstile.enter(work, number)
    while len(done) < 40:
        turns += 1
        await asyncio.sleep(0)
    assert done == list(range(40))
    assert turns >= 10, "a turn of the loop takes four of them"


async def test_one_that_fails_stops_nobody_behind_it() -> None:
    turnstile, done = Turnstile(), []

    def broken() -> None:
        raise RuntimeError("a defect")

    turnstile.enter(broken)
    turnstile.enter(done.append, 1)
    async with asyncio.timeout(5):
        while not done:
            await asyncio.sleep(0.001)
    assert done == [1]


def busy(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_what_those_do_who_are_woken_counts_and_they_wake_one_by_one() -> None:
    turnstile, loop, woke = Turnstile(), asyncio.get_running_loop(), []

    async def wait(future: asyncio.Future[int]) -> None:
        woke.append((await future, len(turnstile)))
        busy(BUDGET / 2)

    futures = [loop.create_future() for _ in range(10)]
    tasks = [asyncio.create_task(wait(future)) for future in futures]
    await asyncio.sleep(0)
    began = time.monotonic()
    for number, future in enumerate(futures):
        turnstile.resolve(future, number)
    futures[3].cancel()
    await asyncio.wait(tasks)
    # Each had its turn while those behind it still waited.
    assert woke == [(number, 9 - number) for number in range(10) if number != 3]
    assert time.monotonic() - began > 9 * BUDGET / 2 + 3 * PAUSE


async def test_the_more_others_want_the_loop_the_less_is_taken_from_them() -> None:
    turnstile, done = Turnstile(), []

    async def others(share: float) -> float:
        """Something else is done all the time; how much of it was the crowd's."""
        done.clear()
        for number in range(2_000):
            turnstile.enter(lambda number: (busy(BUDGET), done.append(number)), number)
        began = time.monotonic()
        while time.monotonic() - began < 0.25:
            busy(share)
            await asyncio.sleep(0)
        turnstile._waiting.clear()
        await asyncio.sleep(2 * LONGEST)
        return len(done) * BUDGET / 0.25

    quiet, crowded = await others(0.0), await others(0.005)
    assert quiet > 1.5 * crowded > 0, (quiet, crowded)
