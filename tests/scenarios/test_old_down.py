"""Chat does not need the control plane, and its absence loses no usage."""

import asyncio
import os
import random

import pytest

from ops.chaos.checker import check
from ops.chaos.installation import Installation
from ops.chaos.report import report
from ops.chaos.world import Size, World, world

RATE = 150.0


@pytest.mark.scenario
@pytest.mark.timeout(180)
async def test_chat_goes_on_without_the_control_plane_and_its_usage_arrives_later(whole: Installation):
    seed = int(os.environ.get("NATTER_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"NATTER_TEST_SEED={seed} repeats this run")
    async with world(whole, seed, Size(users=16, rooms=4)) as here:
        await here.live(RATE, asyncio.sleep(1.0))
        await whole.stop("control")
        try:
            await here.live(RATE, _new_users_and_a_node_restart(here))
            owed = await _unshipped(whole)
        finally:
            whole.start("control")
        assert owed, "nothing was left to report, so its arrival would show nothing"
        await whole.ready("control")
        await here.settle()
        history = await here.collect()
    violations = check(history)
    print(report(history, violations))
    assert violations == [], report(history, violations)
    # By name, not by number: each minute that ends leaves new rows for a second, of other apps too.
    assert owed & await _unshipped(whole) == set()


async def _new_users_and_a_node_restart(here: World) -> None:
    whole = here.installation
    await asyncio.sleep(1.0)
    first = await here.newcomer(here.tenants[0], "newcomer1", {"room0"})
    assert (await first.send("room0")).outcome == "ok"
    whole.kill("n1")
    while whole.parts["n1"].alive:
        await asyncio.sleep(0.01)
    await whole.ready("n1")
    second = await here.newcomer(here.tenants[1], "newcomer2", {"room1"})
    assert (await second.send("room1")).outcome == "ok"
    await asyncio.sleep(1.0)


async def _unshipped(whole: Installation) -> set[int]:
    """The rows that the ledger has not acknowledged yet, by their numbers."""
    connection = await whole.chat_database.connect()
    try:
        return {row["seq"] for row in await connection.fetch("select seq from chat.usage_outbox")}
    finally:
        await connection.close()
