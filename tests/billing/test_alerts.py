"""The spend guard: what customers choose holds on the nodes, and each threshold is told once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from billing.alerts import list_alerts
from billing.terms.service import change_plan, set_budget, set_over, set_thresholds
from billing.usage.quota import QuotaKeeper
from kernel.errors import InvalidInput
from tests.billing.customers import Customer, customer
from tests.control_plane.fixtures import World

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


async def paying(world: World) -> Customer:
    one = await customer(world)
    async with world.deps.change_as(one.owner, None) as ctx:
        await change_plan(ctx, one.id, "starter")
    return one


async def raised(one: Customer, period: str = "2026-01") -> list[tuple[str, int, int]]:
    async with one.world.deps.read(one.owner) as uow:
        found = await list_alerts(uow.session, one.id, period)
    return sorted((alert.subject, alert.threshold, alert.limit) for alert in found)


async def test_each_threshold_is_told_once_also_by_many_processes_and_after_a_restart(
    world: World, second: World
) -> None:
    ada = await customer(world)
    await ada.use("messages", 99_999)
    assert await raised(ada) == []
    await ada.use("messages", 1)
    for quantity in (10, 10, 10):
        await ada.use("messages", quantity)
        await asyncio.gather(*(QuotaKeeper(where.deps).step() for where in (world, second) for _ in range(3)))
    assert await raised(ada) == [("messages", 50, 200_000)]
    # From 50 % to past the limit at once: both are on record, one letter is enough.
    await ada.use("messages", 150_000)
    assert await raised(ada) == [("messages", threshold, 200_000) for threshold in (50, 80, 100)]
    await ada.run_jobs()
    await ada.run_jobs()
    assert await ada.alerts_mailed() == ["Chat: 100 % of the messages used", "Chat: 50 % of the messages used"]

    await ada.until(FEBRUARY + timedelta(hours=1))
    await ada.use("messages", 100_000)
    assert await raised(ada, "2026-02") == [("messages", 50, 200_000)]


async def test_a_raised_limit_has_thresholds_of_its_own(world: World) -> None:
    ada = await customer(world)
    await ada.use("messages", 200_000)
    async with world.deps.change_as(ada.owner, None) as ctx:
        await change_plan(ctx, ada.id, "starter")
        await set_thresholds(ctx, ada.id, [10, 7])
        for wrong in ([0], [1_001], list(range(1, 12))):
            with pytest.raises(InvalidInput):
                await set_thresholds(ctx, ada.id, wrong)
    await ada.use("messages", 100_000)
    assert [entry for entry in await raised(ada) if entry[2] == 3_000_000] == [
        ("messages", 7, 3_000_000),
        ("messages", 10, 3_000_000),
    ]


async def test_a_letter_and_its_row_go_together_when_the_worker_is_killed(world: World) -> None:
    ada = await customer(world)
    await ada.use("mau", 1, subject=0)
    await ada.use("messages", 100_000)
    async with world.deps.database.unit_of_work() as uow:
        rows = await uow.session.execute(text("select payload ->> 'threshold' from control.outbox"))
        assert list(rows.scalars()) == ["50"]
    await ada.run_jobs()
    async with world.deps.database.unit_of_work() as uow:
        assert (await uow.session.execute(text("select count(*) from control.outbox"))).scalar_one() == 0
    [letter] = [one for one in await world.letters(ada.owner.email) if one.kind == "usage_alert"]
    assert "100,000 messages" in letter.text
    assert "refuse" in letter.text


@pytest.mark.parametrize("over", ["stop", "throttle", "bill"])
async def test_a_customer_chooses_what_happens_beyond_the_limit(world: World, over: str) -> None:
    ada = await paying(world)
    async with world.deps.change_as(ada.owner, None) as ctx:
        await set_over(ctx, ada.id, "messages", over)  # type: ignore[arg-type]
    await ada.use("messages", 3_000_000)
    assert (await ada.over())["messages"] == (3_000_000, over, True)
    assert (await ada.over())["mau"] == (10_000, "bill", False)


async def test_the_free_plan_leaves_no_choice(world: World) -> None:
    ada = await customer(world)
    with pytest.raises(InvalidInput):
        async with world.deps.change_as(ada.owner, None) as ctx:
            await set_over(ctx, ada.id, "messages", "bill")


async def test_a_spent_budget_stops_what_would_be_billed_and_nothing_else(world: World) -> None:
    ada = await paying(world)
    base = (await ada.spend()).amount
    async with world.deps.change_as(ada.owner, None) as ctx:
        await set_budget(ctx, ada.id, base + 400, "stop")
    await ada.use("messages", 4_000_000)
    assert (await ada.over())["messages"] == (3_000_000, "bill", True)
    assert not (await ada.spend()).budget_spent
    await ada.use("messages", 3_000_001)
    spent = await ada.spend()
    assert (spent.amount, spent.budget_spent, spent.overshoot) == (base + 1_000, True, 600)
    over = await ada.over()
    assert over["messages"] == (3_000_000, "stop", True)
    assert over["mau"] == (10_000, "stop", False), "what is included is not spent"
    assert [entry[1] for entry in await raised(ada) if entry[0] == "budget"] == [50, 80, 100]

    # Raising the budget opens it again at once, a new month by itself.
    async with world.deps.change_as(ada.owner, None) as ctx:
        await set_budget(ctx, ada.id, base + 2_000, "stop")
    assert (await ada.over())["messages"] == (3_000_000, "bill", True)
    async with world.deps.change_as(ada.owner, None) as ctx:
        await set_budget(ctx, ada.id, base + 1, "throttle")
    assert (await ada.over())["messages"] == (3_000_000, "throttle", True)
    async with world.deps.change_as(ada.owner, None) as ctx:
        await set_budget(ctx, ada.id, 100_000, "throttle")
    await ada.until(FEBRUARY + timedelta(seconds=1))
    assert (await ada.over())["messages"] == (3_000_000, "bill", False)


async def test_a_budget_that_only_tells_stops_nothing(world: World) -> None:
    ada = await paying(world)
    async with world.deps.change_as(ada.owner, None) as ctx:
        await set_budget(ctx, ada.id, 1, "bill")
        with pytest.raises(InvalidInput):
            await set_budget(ctx, ada.id, 0, "bill")
    await ada.use("messages", 4_000_000)
    assert (await ada.over())["messages"] == (3_000_000, "bill", True)
    await ada.run_jobs()
    assert "Chat: 100 % of the monthly budget used" in await ada.alerts_mailed()


async def test_stored_bytes_reach_a_limit_and_leave_it_again_and_no_month_forgives_them(world: World) -> None:
    ada = await customer(world)
    await ada.use("storage_bytes", 10**9)
    assert (await ada.over())["storage_bytes"] == (10**9, "stop", True)
    await ada.until(FEBRUARY)
    assert (await ada.over())["storage_bytes"] == (10**9, "stop", True)
    await ada.use("storage_bytes", -1)
    assert (await ada.over())["storage_bytes"] == (10**9, "stop", False)
