"""Where many come at once, everybody else has turns in between."""

import asyncio
import time

from data_plane.gateway.turnstile import BUDGET, Turnstile


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
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert done == [1]
