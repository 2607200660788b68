"""Chat does not need the control plane for a day, and its absence loses no usage and lets nobody in."""

import asyncio
import os
import random
import signal
from datetime import timedelta

import pytest

from kernel.clock import SystemClock, month_of
from kernel.ids import parse_id
from ops.chaos.checker import check
from ops.chaos.installation import Installation, Tenant
from ops.chaos.report import report
from ops.chaos.world import Size, World, world

RATE = 150.0
DAY = timedelta(hours=24)


@pytest.fixture
async def morning(whole: Installation):
    """How far ahead of the machine's the clocks are when the day begins: it must end within the same month, in which
    users are active once."""
    now = SystemClock().now()
    ahead = timedelta() if month_of(now + DAY + timedelta(hours=1)) == month_of(now) else DAY + timedelta(hours=1)
    if ahead:
        await whole.move_clock(ahead.total_seconds())
    yield ahead
    await whole.move_clock(0.0)


@pytest.mark.scenario
@pytest.mark.timeout(180)
async def test_a_day_without_the_control_plane_changes_nothing_and_its_usage_arrives_later(
    whole: Installation, morning: timedelta
):
    seed = int(os.environ.get("NATTER_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"NATTER_TEST_SEED={seed} repeats this run")
    async with world(whole, seed, Size(users=16, rooms=4)) as here:
        (shut,) = await whole.tenants(f"shut{seed}")
        await whole.suspend(shut)
        await here.live(RATE, asyncio.sleep(1.0))
        await whole.stop("control", force=signal.SIGKILL)
        try:
            await whole.move_clock((morning + DAY).total_seconds())
            # Nodes and worker started with a database's copies alone, a day later, and nobody's token is good any more.
            assert await whole.answers(shut) == [403, 403]
            await here.renew_tokens()
            await here.settle()
            await here.live(RATE, _new_users_and_a_node_restart(here))
            owed = await _unshipped(whole)
            assert await whole.answers(shut) == [403, 403]
        finally:
            whole.start("control")
        assert owed, "nothing was left to report, so its arrival would show nothing"
        await whole.ready("control")
        await here.settle()
        history = await here.collect()
        assert await whole.answers(shut) == [403, 403]
        assert await _reported_over(whole, here.tenants[0]) >= DAY
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


async def _reported_over(whole: Installation, tenant: Tenant) -> timedelta:
    """From the app's first message to its last, as the ledger has them."""
    connection = await whole.control_database.connect()
    try:
        span = "select max(at) - min(at) from control.usage_ledger where app_id = $1 and meter = 'messages'"
        found: timedelta = await connection.fetchval(span, parse_id("app", tenant.app_id))
        return found
    finally:
        await connection.close()
