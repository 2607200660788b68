"""Connections at once: counted by the minute on each node, summed over nodes, in the ledger's hours at the end."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from sqlalchemy import text

from billing.app import create_app
from billing.tenants import open_tenant
from billing.usage.recompute import recompute
from control_plane.context import Actor
from control_plane.credentials.service import create_credential
from data_plane.retention import Retention
from data_plane.tenancy.connections import ConnectionQuota
from data_plane.tenancy.counts import LONGEST_GAP, ConnectionCounts
from data_plane.usage import samples
from data_plane.usage.minutes import GRACE, close_minutes
from data_plane.usage.relay import UsageRelay
from data_plane.usage.samples import PeakSamples
from kernel.clock import ManualClock
from kernel.ids import parse_id
from kernel.redis import connect_redis
from tests.control_plane.fixtures import make_deps

MINUTE = timedelta(minutes=1)
BEGIN = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
"""The minute in which the tests' clock starts, at its first second."""
APP, OTHER = UUID(int=1), UUID(int=2)
PEAKS_BY_HOUR = text("select hour, quantity from control.usage_hourly where meter = 'peak_connections'")


def add(counts, app_id, count):
    for _ in range(count):
        counts.add(app_id)


def remove(counts, app_id, count):
    for _ in range(count):
        counts.remove(app_id)


class Metered:
    """A node's counting and its writer, as a node wires them."""

    def __init__(self, node, name):
        self.counts = ConnectionCounts(node.clock)
        self.samples = PeakSamples(node.system, self.counts, node=name)

    async def tick(self):
        """One look of `run`."""
        self.samples.gather()
        await self.samples.commit()


async def stored(node):
    rows = await node.rows("select * from chat.usage_samples order by minute, node")
    return [(row["minute"], row["node"], row["quantity"], row["reported"]) for row in rows]


async def counted(node):
    rows = await node.rows("select * from chat.usage_outbox where meter = 'peak_connections' order by seq")
    return [(row["app_id"], row["at"], row["quantity"]) for row in rows]


# -- on one node -------------------------------------------------------------------------------------------------------


def test_a_minute_holds_its_highest_moment_and_not_its_last():
    clock = ManualClock(BEGIN)
    counts = ConnectionCounts(clock)
    add(counts, APP, 7)
    remove(counts, APP, 5)
    clock.advance(timedelta(seconds=30))
    add(counts, APP, 1)
    assert counts.take_peaks() == []
    clock.advance(timedelta(seconds=30))
    assert counts.take_peaks() == [(APP, BEGIN, 7)]
    assert counts.take_peaks() == []


def test_a_minute_begins_with_what_is_connected_then():
    clock = ManualClock(BEGIN)
    counts = ConnectionCounts(clock)
    add(counts, APP, 3)
    clock.advance(MINUTE)
    remove(counts, APP, 3)
    clock.advance(MINUTE)
    assert counts.take_peaks() == [(APP, BEGIN, 3), (APP, BEGIN + MINUTE, 3)]
    clock.advance(MINUTE)
    assert counts.take_peaks() == []


def test_a_change_falls_into_the_minute_in_which_it_happens_however_late_the_look_comes():
    clock = ManualClock(BEGIN + MINUTE - timedelta(microseconds=1))
    counts = ConnectionCounts(clock)
    add(counts, APP, 2)
    clock.advance(timedelta(microseconds=1))
    add(counts, APP, 1)
    add(counts, OTHER, 1)
    clock.advance(timedelta(seconds=59, microseconds=999_999))
    remove(counts, APP, 3)
    clock.advance(timedelta(microseconds=1))
    assert counts.take_peaks() == [(APP, BEGIN, 2), (APP, BEGIN + MINUTE, 3), (OTHER, BEGIN + MINUTE, 1)]


def test_minutes_in_which_the_process_stood_still_are_made_up_for_within_reason():
    clock = ManualClock(BEGIN)
    counts = ConnectionCounts(clock)
    add(counts, APP, 4)
    clock.advance(3 * MINUTE)
    assert counts.take_peaks() == [(APP, BEGIN + n * MINUTE, 4) for n in range(3)]
    clock.advance(timedelta(days=30))
    late = counts.take_peaks()
    assert [peak.minute for peak in late] == [
        BEGIN + 3 * MINUTE,
        *(clock.now() - n * MINUTE for n in range(LONGEST_GAP, 0, -1)),
    ]


def test_a_clock_that_is_set_back_begins_an_earlier_minute_again():
    clock = ManualClock(BEGIN)
    counts = ConnectionCounts(clock)
    add(counts, APP, 2)
    clock.advance(-5 * MINUTE)
    add(counts, APP, 1)
    clock.advance(MINUTE)
    assert counts.take_peaks() == [(APP, BEGIN, 2), (APP, BEGIN - 5 * MINUTE, 3)]


async def test_the_meter_and_the_limit_go_by_the_same_count(node, redis_url):
    client = connect_redis(redis_url)
    quota = ConnectionQuota(client, shard_id="s0", node="a", clock=node.clock)
    for _ in range(3):
        await quota.acquire(node.tenant.snapshot)
    quota.release(node.tenant.app_id)
    assert quota.local(node.tenant.app_id) == 2
    assert [peak.quantity for peak in quota.counts.take_peaks(also_open=True)] == [3]
    await client.aclose()


# -- to the shard ------------------------------------------------------------------------------------------------------


async def test_the_minute_of_two_nodes_becomes_one_row_with_their_sum_after_the_grace(node):
    a, b = Metered(node, "a"), Metered(node, "b")
    add(a.counts, APP, 5)
    add(b.counts, APP, 8)
    remove(b.counts, APP, 8)
    node.clock.advance(MINUTE)
    await a.tick()
    await b.tick()
    assert await stored(node) == [(BEGIN, "a", 5, False), (BEGIN, "b", 8, False)]
    node.clock.advance(GRACE - timedelta(seconds=1))
    assert await close_minutes(node.system, node.clock) == 0
    node.clock.advance(timedelta(seconds=1))
    assert await close_minutes(node.system, node.clock) == 1
    assert await close_minutes(node.system, node.clock) == 0
    assert await counted(node) == [(APP, BEGIN, 13)]


async def test_every_app_and_minute_is_a_row_of_its_own_over_many_transactions(node, monkeypatch):
    monkeypatch.setattr("data_plane.usage.minutes.BATCH", 2)
    monkeypatch.setattr(samples, "BATCH", 3)
    a, b = Metered(node, "a"), Metered(node, "b")
    for each in (a, b):
        add(each.counts, APP, 2)
        add(each.counts, OTHER, 1)
    node.clock.advance(3 * MINUTE)
    await a.tick()
    await b.tick()
    node.clock.advance(GRACE)
    assert await close_minutes(node.system, node.clock) == 6
    expected = [(app, BEGIN + n * MINUTE, quantity) for n in range(3) for app, quantity in ((APP, 4), (OTHER, 2))]
    assert await counted(node) == expected


async def test_two_relays_at_once_close_a_minute_once(node):
    a, b = Metered(node, "a"), Metered(node, "b")
    for app in range(1, 200):
        a.counts.add(UUID(int=app))
        b.counts.add(UUID(int=app))
    node.clock.advance(MINUTE + GRACE)
    await a.tick()
    await b.tick()
    await asyncio.gather(*(close_minutes(node.system, node.clock) for _ in range(4)))
    rows = await counted(node)
    # Two that split a minute's samples between them report it twice, with a sum of all that was there each time.
    assert {(app, quantity) for app, _, quantity in rows} == {(UUID(int=app), 2) for app in range(1, 200)}


async def test_a_late_sample_is_reported_as_the_new_sum_of_all_nodes(node):
    a, b = Metered(node, "a"), Metered(node, "b")
    add(a.counts, APP, 5)
    add(b.counts, APP, 4)
    node.clock.advance(MINUTE + GRACE)
    await a.tick()
    await close_minutes(node.system, node.clock)
    node.clock.advance(timedelta(hours=20))
    await Retention(node.system, node.clock).sweep()
    remove(b.counts, APP, 4)
    await b.tick()
    await close_minutes(node.system, node.clock)
    assert [row for row in await counted(node) if row[1] == BEGIN] == [(APP, BEGIN, 5), (APP, BEGIN, 9)]


async def test_a_node_that_restarts_within_a_minute_is_not_counted_twice(node):
    first = Metered(node, "a")
    add(first.counts, APP, 6)
    await first.samples.finish()
    for quantity in (4, 9):
        again = Metered(node, "a")
        add(again.counts, APP, quantity)
        await again.samples.finish()
        assert await stored(node) == [(BEGIN, "a", max(6, quantity), False)]
    node.clock.advance(MINUTE + GRACE)
    await close_minutes(node.system, node.clock)
    assert await counted(node) == [(APP, BEGIN, 9)]


async def test_a_node_that_is_killed_loses_its_open_minute_and_no_other(node):
    killed = Metered(node, "a")
    add(killed.counts, APP, 3)
    node.clock.advance(MINUTE)
    await killed.tick()
    add(killed.counts, APP, 10)
    del killed
    again = Metered(node, "a")
    add(again.counts, APP, 2)
    node.clock.advance(MINUTE)
    await again.tick()
    assert await stored(node) == [(BEGIN, "a", 3, False), (BEGIN + MINUTE, "a", 2, False)]


async def test_a_minute_whose_sample_is_repeated_or_lower_is_not_reported_again(node):
    a = Metered(node, "a")
    add(a.counts, APP, 5)
    node.clock.advance(MINUTE + GRACE)
    await a.tick()
    await close_minutes(node.system, node.clock)
    repeated = Metered(node, "a")
    repeated.samples._held.extend([(samples.Peak(APP, BEGIN, 5)), samples.Peak(APP, BEGIN, 4)])
    await repeated.samples.commit()
    assert await close_minutes(node.system, node.clock) == 0
    assert await counted(node) == [(APP, BEGIN, 5)]


async def test_samples_outlive_an_outage_of_the_database_and_are_committed_after_it(node, monkeypatch):
    monkeypatch.setattr(samples, "PERIOD", 0.01)
    a = Metered(node, "a")
    pool, away = node.system.pool, True

    async def sometimes():
        if away:
            raise ConnectionRefusedError
        return await pool()

    monkeypatch.setattr(node.system, "pool", sometimes)
    running = asyncio.create_task(a.samples.run())
    for count in (1, 2, 3):
        add(a.counts, APP, 1)
        node.clock.advance(MINUTE)
        while a.samples.waiting < count:
            await asyncio.sleep(0.01)
    away = False
    while a.samples.waiting:
        await asyncio.sleep(0.01)
    running.cancel()
    assert [(minute, quantity) for minute, _, quantity, _ in await stored(node)] == [
        (BEGIN + n * MINUTE, n + 1) for n in range(3)
    ]


async def test_what_waits_is_bounded_and_the_newest_stay(node, monkeypatch):
    monkeypatch.setattr(samples, "MOST_HELD", 2)
    a = Metered(node, "a")
    add(a.counts, APP, 1)
    node.clock.advance(5 * MINUTE)
    a.samples.gather()
    assert a.samples.waiting == 2
    await a.samples.commit()
    assert [minute for minute, *_ in await stored(node)] == [BEGIN + 3 * MINUTE, BEGIN + 4 * MINUTE]


async def test_a_stop_does_not_wait_for_a_database_that_is_away(node, monkeypatch):
    a = Metered(node, "a")
    add(a.counts, APP, 1)

    async def hangs():
        await asyncio.sleep(60)

    monkeypatch.setattr(node.system, "pool", hangs)
    began = asyncio.get_running_loop().time()
    await a.samples.finish(seconds=0.1)
    assert asyncio.get_running_loop().time() - began < 20


async def test_samples_stay_for_a_day_after_they_were_reported_and_unreported_ones_longer(node):
    a = Metered(node, "a")
    add(a.counts, APP, 1)
    node.clock.advance(MINUTE)
    remove(a.counts, APP, 1)
    node.clock.advance(MINUTE)
    await a.tick()
    node.clock.advance(timedelta(days=2))
    assert (await Retention(node.system, node.clock).sweep())["usage_samples"] == 0
    await close_minutes(node.system, node.clock)
    assert (await Retention(node.system, node.clock).sweep())["usage_samples"] == 2
    assert await stored(node) == []


# -- to the ledger -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def books(node, control_database):
    """A control plane with an app, and the shard's relay that reports to it; one clock for all."""
    deps = make_deps(control_database.url, node.clock)
    async with deps.change(Actor("operator:test")) as ctx:
        tenant = await open_tenant(ctx, email="ada@example.com", organization="Acme", app="Chat", shard="s0")
        credential = await create_credential(ctx, kind="relay", name="s0", shard="s0")
    app_id = parse_id("app", tenant.app_id)
    application = create_app(deps)
    async with application.lifespan():
        relay = UsageRelay(
            shard_id="s0",
            database=node.system,
            control_url="http://control",
            credential=credential,
            clock=node.clock,
            transport=httpx.ASGITransport(app=application),
        )

        async def hours():
            """Close and ship, then the peaks by hour."""
            await close_minutes(node.system, node.clock)
            while await relay.ship():
                pass
            async with deps.database.unit_of_work() as uow:
                recount = await recompute(uow.session, app_id, "2026-03")
                assert recount.agrees
                found = await uow.session.execute(PEAKS_BY_HOUR)
                return {row.hour: row.quantity for row in found}, recount.rollup["peak_connections"]

        yield app_id, hours
        await relay.close()
    await deps.database.close()


async def test_the_hours_and_the_month_hold_their_highest_minute_over_all_nodes(node, control_database):
    async with books(node, control_database) as (app_id, hours):
        a, b = Metered(node, "a"), Metered(node, "b")
        # Node a peaks in the first minute, node b in the second: no minute has both peaks.
        add(a.counts, app_id, 10)
        add(b.counts, app_id, 3)
        remove(a.counts, app_id, 9)
        node.clock.advance(MINUTE)
        add(b.counts, app_id, 6)
        remove(b.counts, app_id, 9)
        node.clock.advance(MINUTE)
        # The next hour is quieter.
        node.clock.advance(timedelta(minutes=58))
        add(a.counts, app_id, 1)
        node.clock.advance(MINUTE + GRACE)
        await a.tick()
        await b.tick()
        assert await hours() == ({BEGIN: 13, BEGIN + timedelta(hours=1): 2}, 13)


async def test_a_late_sample_raises_the_hour_to_the_sum_of_its_minute(node, control_database):
    async with books(node, control_database) as (app_id, hours):
        a, b = Metered(node, "a"), Metered(node, "b")
        add(a.counts, app_id, 10)
        add(b.counts, app_id, 7)
        node.clock.advance(MINUTE + GRACE)
        await a.tick()
        assert await hours() == ({BEGIN: 10}, 10)
        await b.tick()
        assert await hours() == ({BEGIN: 17}, 17)
        # A node that comes back with less than it had, or the same again, changes nothing.
        again = Metered(node, "b")
        again.samples._held.append(samples.Peak(app_id, BEGIN, 5))
        await again.samples.commit()
        assert await hours() == ({BEGIN: 17}, 17)


async def test_a_minute_reported_again_under_another_row_is_not_added_to_itself(node, control_database):
    async with books(node, control_database) as (app_id, hours):
        await node.rows(
            "insert into chat.usage_outbox (app_id, meter, quantity, at) "
            "select $1, 'peak_connections', q, $2 from unnest(array[4, 6, 5]) q returning seq",
            app_id,
            BEGIN,
        )
        assert await hours() == ({BEGIN: 6}, 6)
