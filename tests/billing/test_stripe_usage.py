"""Usage at Stripe's meters: each unit once, whatever dies and however long Stripe is away."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from billing.provider.port import ProviderAway
from control_plane.accounts.staff import create_staff
from kernel.clock import SystemClock
from kernel.outbox import OutboxRunner
from ops.cli import cli
from ops.stripe_sim.meters import create_adjustment, create_event
from tests.billing.stripe_world import BEGIN, Paid, paid
from tests.control_plane.fixtures import MASTER_KEY
from tests.engines import TemporaryDatabase

FIRST = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
async def shop(control_database: TemporaryDatabase) -> AsyncIterator[Paid]:
    async with paid(control_database) as found:
        await found.rounds()
        await found.buy("starter")
        yield found


async def accepted(shop: Paid) -> int:
    [row] = await shop.rows(
        "select coalesce(sum(quantity), 0)::int as n from control.stripe_meter_events "
        "where meter = 'mau' and state = 'accepted'"
    )
    return int(row.n)


def counted(shop: Paid) -> int:
    """What the simulator has, by its own store."""
    return sum(
        int(event["_value"])
        for event in shop.sim.sim.store.all("billing.meter_event")
        if event["event_name"] == "natter_mau"
    )


async def users(shop: Paid, count: int, start: int) -> None:
    for number in range(start, start + count):
        await shop.ada.use("mau", 1, subject=number)


async def test_killed_at_any_await_nothing_is_lost_or_sent_twice(shop: Paid) -> None:
    total, place = 0, 0
    finished = False
    while not finished:
        await users(shop, 1, total)
        total += 1
        shop.world.clock.advance(timedelta(hours=1, minutes=6))
        shop.sim.advance_to(int(shop.world.clock.now().timestamp()))
        place += 1
        task = asyncio.ensure_future(_plan_and_send(shop))
        for _ in range(place):
            if task.done():
                break
            await asyncio.sleep(0.001)
        finished = task.done() and place > 15
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await shop.pass_time(timedelta(minutes=10))
    assert (await accepted(shop), counted(shop)) == (total, total)


async def _plan_and_send(shop: Paid) -> None:
    await shop.worker.meters.plan()
    await shop.worker.meters.send()


class Mortal:
    """The worker in processes that can be killed; see `tests/billing/mortal.py`."""

    def __init__(self, shop: Paid, process: asyncio.subprocess.Process) -> None:
        self._shop = shop
        self._process = process

    @classmethod
    @asynccontextmanager
    async def of(cls, shop: Paid, *bug: str) -> AsyncIterator["Mortal"]:
        words = ["-m", "tests.billing.mortal", shop.world.deps.settings.database_url, shop.sim.url, *bug]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe)
        try:
            yield cls(shop, process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def work(self, *, killed_after: float | None = None) -> int:
        """Let one work at the shop's time; how it ended: 0, or -9 where it was killed in time."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self._shop.world.clock.now().timestamp()}\n".encode())
        pid = await self._said()
        if killed_after is not None:
            await asyncio.sleep(killed_after)
            with suppress(ProcessLookupError):  # it had no more to do
                os.kill(pid, signal.SIGKILL)
        return await self._said()

    async def _said(self) -> int:
        assert self._process.stdout is not None
        return int(await asyncio.wait_for(self._process.stdout.readline(), 60))


async def _through_deaths(shop: Paid, deaths: int, *bug: str) -> tuple[int, int, int]:
    """Units used, and what is accepted of them by our rows and by the simulator's, after so many killed workers."""
    chance, total = random.Random(8), 0
    async with Mortal.of(shop, *bug) as mortal:
        ends = []
        for number in range(deaths):
            await users(shop, 2, total)
            total += 2
            shop.world.clock.advance(timedelta(hours=1, minutes=6))
            shop.sim.advance_to(int(shop.world.clock.now().timestamp()))
            if number == 1:
                # Counted, and killed before it hears so.
                shop.sim.fault("timeout", path="/v1/billing/meter_events")
                ends.append(await mortal.work(killed_after=1.0))
                shop.sim.faults.clear()
                continue
            if number == 3:
                shop.sim.fault("outage")
                with pytest.raises(ProviderAway):
                    await shop.provider.change(shop.owner, shop.ada.id, "growth")
                shop.sim.faults.clear()
            ends.append(await mortal.work(killed_after=chance.uniform(0.05, 0.5)))
        assert ends.count(-signal.SIGKILL) > deaths // 2, ends
        for _ in range(2):
            shop.world.clock.advance(timedelta(hours=1))
            shop.sim.advance_to(int(shop.world.clock.now().timestamp()))
            assert await mortal.work() == 0
    return total, await accepted(shop), counted(shop)


async def test_whenever_its_process_is_killed_each_unit_is_counted_once_and_each_wish_done_once(shop: Paid) -> None:
    bills = len(list(shop.sim.sim.store.all("invoice")))
    total, ours, theirs = await _through_deaths(shop, 6)
    assert (ours, theirs) == (total, total)
    assert await shop.plan() == "growth@1"
    assert [each["status"] for each in shop.sim.sim.store.all("subscription")] == ["active"]
    assert len(list(shop.sim.sim.store.all("invoice"))) == bills + 1, "one for the larger plan"
    assert await shop.differences() == []


async def test_usage_that_is_sent_again_under_another_name_would_be_noticed(shop: Paid) -> None:
    total, _, theirs = await _through_deaths(shop, 2, "bug")
    assert theirs > total


async def test_an_outage_of_three_days_and_answers_that_were_lost(shop: Paid) -> None:
    await users(shop, 3, 0)
    await shop.pass_time(timedelta(hours=2))
    # Counted, and the answer lost: it is sent again by the same identifier.
    shop.sim.fault("cut_after", path="/v1/billing/meter_events")
    await users(shop, 2, 10)
    await shop.pass_time(timedelta(hours=2))
    await shop.pass_time(timedelta(hours=1))
    assert (await accepted(shop), counted(shop)) == (5, 5)
    # Counted, the answer lost, and then nobody can ask for three days: nothing is sent again without looking.
    await users(shop, 2, 20)
    shop.world.clock.advance(timedelta(hours=1, minutes=10))
    shop.sim.advance_to(int(shop.world.clock.now().timestamp()))
    await shop.worker.meters.plan()
    shop.sim.fault("cut_after", path="/v1/billing/meter_events")
    with pytest.raises(ProviderAway):
        await shop.worker.meters.send()
    # And one that never arrived.
    await users(shop, 4, 30)
    shop.world.clock.advance(timedelta(hours=1, minutes=10))
    shop.sim.advance_to(int(shop.world.clock.now().timestamp()))
    await shop.worker.meters.plan()
    shop.sim.fault("outage")
    for _ in range(2):
        with pytest.raises(ProviderAway):
            await shop.worker.meters.send()
    await shop.pass_time(timedelta(days=3), step=timedelta(hours=25))
    assert counted(shop) == 7
    shop.sim.faults.clear()
    for _ in range(3):
        await shop.pass_time(timedelta(hours=2))
    assert (await accepted(shop), counted(shop)) == (11, 11)
    states = {row.state for row in await shop.rows("select distinct state from control.stripe_meter_events")}
    assert states == {"accepted", "lost"}
    assert await shop.differences() == []


async def test_a_difference_is_found_told_once_and_gone_when_it_is_mended(shop: Paid) -> None:
    async with shop.world.change() as ctx:
        await create_staff(ctx, email="staff@example.com")
    await users(shop, 2, 0)
    await shop.pass_time(timedelta(hours=2))
    assert await shop.differences() == []
    [customer] = await shop.rows("select customer_id from control.stripe_customers")
    payload = {"stripe_customer_id": customer.customer_id, "value": "7"}
    by_hand = {"event_name": "natter_mau", "identifier": "by hand", "payload": payload}
    shop.sim.change(lambda sim: create_event(sim, dict(by_hand)))
    for _ in range(2):
        [found] = await shop.differences()
        assert (found.what, found.ledger, found.stripe) == ("mau meter", 2, 9)
    runner = OutboxRunner(shop.world.deps.database, "control", shop.worker.handlers(), shop.world.clock)
    assert [await runner.run(row) for row in await runner.take_due()] == [True]
    [letter] = [each for each in await shop.world.letters("staff@example.com") if each.kind == "billing_difference"]
    assert "ledger: 2; stripe: 9" in letter.text
    cancel = {"event_name": "natter_mau", "type": "cancel", "cancel": {"identifier": "by hand"}}
    shop.sim.change(lambda sim: create_adjustment(sim, cancel))
    assert await shop.differences() == []
    [row] = await shop.rows("select resolved_at from control.stripe_differences")
    assert row.resolved_at is not None


async def test_the_commands_make_prices_and_find_a_difference(
    control_database: TemporaryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Commands go by the machine's clock.
    now = SystemClock().now()
    begin = max(now - timedelta(hours=3), now.replace(day=1, hour=0, minute=0, second=0))
    async with paid(control_database, begin=begin) as shop:
        settings = shop.worker._deps.settings
        for name in ("database_url", "billing", "stripe_secret_key", "stripe_webhook_secrets", "stripe_api_url"):
            monkeypatch.setenv(f"NATTER_{name.upper()}", getattr(settings, name))
        monkeypatch.setenv("NATTER_MASTER_KEY", MASTER_KEY)
        monkeypatch.setenv("NATTER_REDIS_URL", "redis://127.0.0.1:1/0")

        async def run(*words: str) -> tuple[int, str]:
            told = await asyncio.to_thread(CliRunner().invoke, cli, ["billing", *words])
            return told.exit_code, told.stdout

        assert await run("sync") == (0, "12 prices on offer: 12 made, 0 not sold any more.\n")
        assert await run("sync") == (0, "12 prices on offer: 0 made, 0 not sold any more.\n")
        await shop.rounds()
        await shop.buy("starter")
        await users(shop, 2, 0)
        await shop.pass_time(timedelta(hours=2))
        code, said = await run("reconcile", "--json")
        told = json.loads(said)
        assert (code, told["differences"]) == (0, 0)
        assert told["compared"] > 0
        [customer] = await shop.rows("select customer_id from control.stripe_customers")
        payload = {"stripe_customer_id": customer.customer_id, "value": "7"}
        shop.sim.change(
            lambda sim: create_event(sim, {"event_name": "natter_mau", "identifier": "by hand", "payload": payload})
        )
        code, said = await run("reconcile", "--json")
        told = json.loads(said)
        assert (code, told["differences"]) == (1, 1)
        assert await run("reconcile") == (1, f"{told['compared'] - 1} of {told['compared']} comparisons agree.\n")


async def test_an_outage_over_the_months_end_holds_the_invoice_and_what_is_late_is_an_adjustment(shop: Paid) -> None:
    await shop.ada.use("messages", 3_500_000)
    await shop.until(FIRST - timedelta(hours=2))
    await shop.ada.use("messages", 1_000_000)
    shop.sim.fault("outage")
    await shop.until(FIRST + timedelta(days=2), step=timedelta(days=1))
    shop.sim.faults.clear()
    # Stripe had finished its invoice alone if nobody had answered; it waits for an answer to `invoice.created`.
    late = FIRST - timedelta(minutes=10)
    await shop.ada.use("messages", 2_000_000, at=late)
    await shop.pass_time(timedelta(hours=2), step=timedelta(hours=1))
    [invoice] = [each for each in await shop.provider.invoices(shop.owner) if each.begin < FIRST <= each.end][:1]
    assert sum(line.amount for line in invoice.lines if line.meter == "messages") in (200, 400)
    await shop.month_end(datetime(2027, 1, 1, tzinfo=UTC))
    await shop.month_end(datetime(2027, 2, 1, tzinfo=UTC))
    charged = sum(
        line.amount
        for each in await shop.provider.invoices(shop.owner)
        for line in each.lines
        if line.meter == "messages" or "received" in line.text
    )
    assert charged == 800, "3.5 + 1 + 2 million, 3 of them included: 4 packs, each once"


async def test_what_is_too_old_for_stripe_when_it_is_back_is_an_item_on_the_next_bill_once(shop: Paid) -> None:
    shop.sim.fault("outage")
    await shop.ada.use("messages", 5_000_001)
    await shop.until(BEGIN + timedelta(days=37), step=timedelta(days=4))
    shop.sim.faults.clear()
    for _ in range(3):
        await shop.pass_time(timedelta(hours=2))
    states = {row.state for row in await shop.rows("select state from control.stripe_meter_events")}
    assert "adjusted" in states
    await shop.month_end(datetime(2027, 1, 1, tzinfo=UTC))
    await shop.month_end(datetime(2027, 2, 1, tzinfo=UTC))
    charged = [
        line.amount
        for each in await shop.provider.invoices(shop.owner)
        for line in each.lines
        if line.amount and (line.meter == "messages" or "received late" in line.text)
    ]
    assert charged == [600], "5,000,001, of which 3 million are included: 3 packs"
