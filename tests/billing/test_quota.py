"""Standings follow the ledger, nodes hear of what matters, and a new month begins at nothing."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text

from billing.terms.service import change_plan
from billing.usage.quota import QuotaKeeper
from billing.usage.rollup import month_totals
from control_plane import configuration, entitlements
from control_plane.snapshots.builder import build_page
from kernel.contracts import Quota
from tests.billing.reports import report, reporter, row
from tests.control_plane.fixtures import World, app_uuid


async def quotas(world: World) -> dict[str, Quota]:
    async with world.deps.database.unit_of_work() as uow:
        page = await build_page(uow.session, world.deps.vault, shard="s0", since=0, now=world.clock.now())
    return {quota.meter: quota for quota in page.apps[0].quotas}


async def version(world: World) -> int:
    async with world.deps.database.unit_of_work() as uow:
        return await configuration.current(uow.session)


async def until(condition: Callable[[], object], seconds: float = 5) -> float:
    """How long it took until the awaited condition held."""
    begin = time.monotonic()
    while True:
        if await condition():  # type: ignore[misc]
            return time.monotonic() - begin
        if time.monotonic() - begin > seconds:
            raise AssertionError("it never came to be")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("meter", "used", "included", "exceeded"),
    [
        ("messages", 99, 100, False),
        ("messages", 100, 100, True),
        ("mau", 100, 100, True),
        ("peak_connections", 100, 100, False),
        ("peak_connections", 101, 100, True),
        ("messages", 10**12, None, False),
        ("messages", 0, 0, True),
    ],
)
def test_a_limit_is_reached_when_nothing_more_fits(meter: str, used: int, included: int | None, exceeded: bool) -> None:
    assert entitlements.is_exceeded(meter, used, included) is exceeded


async def test_a_limit_that_is_reached_is_in_the_snapshot_within_two_seconds(world: World) -> None:
    tenant = await world.tenant()
    credential = await reporter(world, "relay", "r")
    async with world.serve():
        before = await version(world)
        # A keeper that nobody wakes: the report came through another process.
        await report(world.deps, credential, [row(1, tenant.app_id, "messages", world.clock.now(), 200_000)])

        async def told() -> bool:
            return await version(world) > before and (await quotas(world))["messages"].exceeded

        assert await until(told) < 2

    quota = (await quotas(world))["messages"]
    assert (quota.used, quota.limit, quota.over, quota.period) == (200_000, 200_000, "stop", "2026-01")


async def test_small_moves_are_told_together_and_not_before_ten_seconds(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    keeper = QuotaKeeper(world.deps)
    await keeper.step()
    before = await version(world)
    seq = 0

    async def send(quantity: int) -> None:
        nonlocal seq
        seq += 1
        await report(world.deps, relay, [row(seq, tenant.app_id, "messages", world.clock.now(), quantity)])
        await keeper.step()

    for _ in range(9):
        world.clock.advance(timedelta(seconds=1))
        await send(100)
    assert await version(world) == before
    assert (await quotas(world))["messages"].used == 900

    # Nobody reports any more; the keeper comes back by itself.
    world.clock.advance(timedelta(seconds=1.1))
    await keeper.step()
    assert await version(world) == before + 1
    await keeper.step()
    world.clock.advance(timedelta(seconds=60))
    await keeper.step()
    assert await version(world) == before + 1

    await send(1_999)
    assert await version(world) == before + 2, "ten seconds have passed since the last time"
    await send(1_999)
    assert await version(world) == before + 2
    await send(1)
    assert await version(world) == before + 3, "one per cent is worth telling at once"


async def test_many_reports_do_not_flood_the_nodes(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    keeper = QuotaKeeper(world.deps)
    await keeper.step()
    before = await version(world)
    for seq in range(60):
        await report(world.deps, relay, [row(seq, tenant.app_id, "messages", world.clock.now(), 10)])
        await keeper.step()
    assert await version(world) == before


async def test_unlimited_meters_make_no_versions(world: World) -> None:
    tenant = await world.tenant(plan="enterprise")
    relay = await reporter(world, "relay", "r")
    keeper = QuotaKeeper(world.deps)
    await keeper.step()
    before = await version(world)
    for seq in range(3):
        world.clock.advance(timedelta(minutes=1))
        await report(world.deps, relay, [row(seq, tenant.app_id, "messages", world.clock.now(), 10**9)])
        await keeper.step()
    assert await version(world) == before
    quota = (await quotas(world))["messages"]
    assert (quota.used, quota.limit, quota.exceeded) == (3 * 10**9, None, False)


async def test_a_bigger_plan_lifts_the_limit_and_a_smaller_one_sets_it(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    keeper = QuotaKeeper(world.deps)
    await report(world.deps, relay, [row(1, tenant.app_id, "messages", world.clock.now(), 250_000)])
    await keeper.step()
    assert (await quotas(world))["messages"].exceeded

    for plan, exceeded in (("growth", False), ("free", True)):
        async with world.change() as ctx:
            await change_plan(ctx, app_uuid(tenant), plan, at_once=True)
        await keeper.step()
        quota = (await quotas(world))["messages"]
        assert quota.used == 250_000
        assert quota.exceeded is exceeded


async def test_a_new_month_begins_at_nothing(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    keeper = QuotaKeeper(world.deps)
    full = world.clock.now()
    await report(world.deps, relay, [row(1, tenant.app_id, "messages", full, 200_000)])
    await keeper.step()
    before = await version(world)

    world.clock.advance(timedelta(days=20))
    # Before anybody has computed anything, the snapshot does not carry the old month on.
    quota = (await quotas(world))["messages"]
    assert (quota.period, quota.used, quota.exceeded) == ("2026-02", 0, False)
    await keeper.step()
    assert await version(world) == before + 1, "nodes hear that a limit is lifted"
    await keeper.step()
    assert await version(world) == before + 1

    # What arrives late for January changes January alone.
    await report(world.deps, relay, [row(2, tenant.app_id, "messages", full, 5)])
    await report(world.deps, relay, [row(3, tenant.app_id, "messages", world.clock.now(), 7)])
    await keeper.step()
    assert (await quotas(world))["messages"].used == 7

    await report(world.deps, relay, [row(4, tenant.app_id, "messages", world.clock.now(), 199_993)])
    await keeper.step()
    assert (await quotas(world))["messages"].exceeded


async def test_usage_just_before_a_crash_is_found_by_the_next_process(world: World, second: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    # The process is gone between the commit of the report and its look at the standing.
    await report(world.deps, relay, [row(1, tenant.app_id, "mau", world.clock.now(), subject=1)])
    await QuotaKeeper(second.deps).step()

    assert (await quotas(world))["mau"].used == 1


async def test_keepers_of_two_processes_and_plan_changes_do_not_block_or_overtake_each_other(
    world: World, second: World
) -> None:
    tenants = [await world.tenant(f"App {n}") for n in range(3)]
    relay = await reporter(world, "relay", "r")
    keepers = [QuotaKeeper(world.deps), QuotaKeeper(second.deps), QuotaKeeper(second.deps)]
    done = asyncio.Event()

    async def keep(keeper: QuotaKeeper) -> None:
        while not done.is_set():
            await keeper.step()

    async def use(where: World, first: int) -> None:
        for n in range(40):
            rows = [
                row((first + n) * 3 + place, tenant.app_id, "messages", world.clock.now(), 2_500)
                for place, tenant in enumerate(tenants)
            ]
            await report(where.deps, relay, rows)

    async def replan() -> None:
        for n in range(20):
            for tenant in tenants:
                async with world.change() as ctx:
                    plan = "growth" if n % 2 == 0 else "free"
                    await change_plan(ctx, app_uuid(tenant), plan, at_once=True)

    keeping = [asyncio.create_task(keep(keeper)) for keeper in keepers]
    await asyncio.gather(use(world, 0), use(second, 1000), use(world, 2000), replan())
    done.set()
    await asyncio.gather(*keeping)
    while await keepers[0].step():
        pass

    async with world.deps.database.unit_of_work() as uow:
        rows = await uow.session.execute(
            text("select used, exceeded, published_used from control.entitlements where meter = 'messages'")
        )
        assert [tuple(r) for r in rows] == [(300_000, True, 300_000)] * 3


async def test_a_slow_keeper_cannot_put_an_old_total_over_a_newer_one(world: World, second: World) -> None:
    tenant = await world.tenant()
    app_id, now = app_uuid(tenant), world.clock.now()
    relay = await reporter(world, "relay", "r")
    async with second.deps.database.unit_of_work() as slow:
        await entitlements.lock(slow.session, app_id)
        old = await month_totals(slow.session, app_id, "2026-01")
        await report(world.deps, relay, [row(1, tenant.app_id, "messages", now, 200_000)])
        quick = asyncio.create_task(QuotaKeeper(world.deps).step())
        await asyncio.sleep(0.3)
        assert not quick.done()
        await entitlements.write_standings(slow.session, app_id, old, now=now)
    await quick

    assert (await quotas(world))["messages"].exceeded


async def test_trouble_with_one_app_does_not_stop_the_others_and_is_tried_again(world: World) -> None:
    broken, well = await world.tenant("Broken"), await world.tenant("Well")
    relay = await reporter(world, "relay", "r")
    keeper = QuotaKeeper(world.deps)
    await keeper.step()
    rows = [row(n, tenant.app_id, "messages", world.clock.now(), 200_000) for n, tenant in enumerate((broken, well))]
    await report(world.deps, relay, rows)

    async def exceeded() -> int:
        async with world.deps.database.unit_of_work() as uow:
            found = await uow.session.execute(text("select count(*) from control.entitlements where exceeded"))
            return int(found.scalar_one())

    owner = await asyncpg.connect(world.admin_url)
    try:
        await owner.execute(
            "alter table control.entitlements add constraint trouble "
            f"check (app_id <> '{app_uuid(broken)}' or used = 0)"
        )
        await keeper.step()
        assert await exceeded() == 1
        await owner.execute("alter table control.entitlements drop constraint trouble")
    finally:
        await owner.close()
    await keeper.step()
    assert await exceeded() == 2
