"""What the usage page shows: by the day, against the plan, with a forecast that keeps to its rule."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from billing.usage.report import MeterReport, MonthReport, month_report, months_with_usage, totals_by_app
from control_plane.apps.models import App
from control_plane.members import Member
from kernel.contracts import Meter
from kernel.errors import InvalidInput
from tests.billing.reports import report, reporter, row, totals
from tests.control_plane.fixtures import World

# The world's clock stands at noon of 15 January 2026: 14.5 of 31 days are gone.
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


async def usage(world: World, app: App, *used: tuple[Meter, datetime, int]) -> None:
    relay = await reporter(world, "relay", "r", app.shard)
    rows = [
        row(seq, app.public_id, meter, at, quantity if meter != "mau" else 1, quantity if meter == "mau" else None)
        for seq, (meter, at, quantity) in enumerate(used)
    ]
    await report(world.deps, relay, rows)


async def read(world: World, member: Member, app: App, month: str = "2026-01") -> MonthReport:
    async with world.deps.read(member) as uow:
        return await month_report(uow.session, app, month, now=world.clock.now())


def curve(meter: MeterReport) -> dict[int, tuple[int, int]]:
    """Days on which something happened, with value and running total."""
    return {point.day.day: (point.value, point.total) for point in meter.days if point.value}


async def test_days_and_totals_say_the_same_as_the_ledger(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    await usage(
        world,
        app,
        ("messages", NEW_YEAR, 10),
        ("messages", NEW_YEAR + timedelta(hours=23, minutes=59), 5),
        ("messages", NEW_YEAR + timedelta(days=9), 300),
        ("messages", NEW_YEAR - timedelta(seconds=1), 1_000),
        ("mau", NEW_YEAR, 1),
        ("mau", NEW_YEAR + timedelta(days=2), 2),
        ("mau", NEW_YEAR + timedelta(days=3), 1),
        ("peak_connections", NEW_YEAR + timedelta(days=1), 40),
        ("peak_connections", NEW_YEAR + timedelta(days=4), 90),
        ("peak_connections", NEW_YEAR + timedelta(days=6), 20),
    )

    shown = await read(world, ada, app)

    assert (shown.begin, shown.end, shown.today, shown.complete) == (
        date(2026, 1, 1),
        date(2026, 1, 31),
        date(2026, 1, 15),
        False,
    )
    assert [len(meter.days) for meter in shown.meters] == [15, 15, 15, 15]
    assert curve(shown.meter("messages")) == {1: (15, 15), 10: (300, 315)}
    assert curve(shown.meter("mau")) == {1: (1, 1), 3: (1, 2)}
    assert curve(shown.meter("peak_connections")) == {2: (40, 40), 5: (90, 90), 7: (20, 90)}
    assert {meter.meter: meter.total for meter in shown.meters if meter.measured} == await totals(world, app.id)
    assert (await read(world, ada, app, "2025-12")).meter("messages").total == 1_000


async def test_limits_are_the_plans_and_storage_is_what_is_there_at_a_days_end(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    stored: list[tuple[Meter, datetime, int]] = [
        ("storage_bytes", NEW_YEAR + timedelta(days=day), change)
        for day, change in ((-40, 500), (1, 70), (1, -20), (9, -150))
    ]
    await usage(world, app, ("messages", NEW_YEAR, 200_000), ("peak_connections", NEW_YEAR, 100), *stored)
    shown = await read(world, ada, app)
    assert (shown.plan, shown.plan_version) == ("free", 1)
    assert {meter.meter: (meter.limit, meter.unit, meter.exceeded) for meter in shown.meters} == {
        "messages": (200_000, "messages", True),
        "mau": (1_000, "active users", False),
        "peak_connections": (100, "connections", False),
        "storage_bytes": (1_000_000_000, "bytes", False),
    }
    storage = shown.meter("storage_bytes")
    assert (storage.measured, storage.total, storage.forecast) == (True, 400, None)
    assert [storage.days[day].value for day in (0, 1, 8, 9, 14)] == [500, 550, 550, 400, 400]
    assert (await read(world, ada, app, "2025-12")).meter("storage_bytes").total == 500


async def test_the_forecast_is_a_straight_line_through_now(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    await usage(world, app, ("messages", NEW_YEAR, 145), ("mau", NEW_YEAR, 1), ("peak_connections", NEW_YEAR, 50))
    shown = await read(world, ada, app)
    assert shown.meter("messages").forecast == 310
    assert shown.meter("mau").forecast == 2
    assert shown.meter("peak_connections").forecast is None
    assert (await read(world, ada, app, "2025-12")).meter("messages").forecast is None
    assert (await read(world, ada, app, "2026-02")).meter("messages").forecast is None


async def test_on_the_first_day_there_is_no_forecast(world: World) -> None:
    world.clock.advance(timedelta(days=17, hours=-12, minutes=-1))
    ada = await world.owner()
    app = (await world.app(ada)).app
    february = datetime(2026, 2, 1, tzinfo=UTC)
    world.clock.advance(timedelta(minutes=1) + timedelta(hours=23))
    await usage(world, app, ("messages", february, 28))
    assert (await read(world, ada, app, "2026-02")).meter("messages").forecast is None
    world.clock.advance(timedelta(hours=1))
    assert (await read(world, ada, app, "2026-02")).meter("messages").forecast == 28 * 28


async def test_an_app_without_usage_has_a_flat_month(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    shown = await read(world, ada, app)
    assert [(meter.total, meter.forecast) for meter in shown.meters] == [(0, 0), (0, 0), (0, None), (0, None)]
    assert {point.value for meter in shown.meters for point in meter.days} == {0}


async def test_a_month_to_come_has_no_days(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    shown = await read(world, ada, app, "2026-02")
    assert [len(meter.days) for meter in shown.meters] == [0, 0, 0, 0]
    assert not shown.complete


async def test_usage_from_a_fast_clock_is_not_cut_off(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    world.clock.advance(timedelta(hours=11, minutes=55))
    await usage(world, app, ("messages", datetime(2026, 1, 16, 0, 1, tzinfo=UTC), 7))
    shown = await read(world, ada, app)
    assert (shown.today, shown.meter("messages").total) == (date(2026, 1, 16), 7)


@pytest.mark.parametrize("month", ["", "2026-13", "2026-1", "x", "9999-01"])
async def test_what_is_no_month_is_named(world: World, month: str) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    with pytest.raises(InvalidInput) as caught:
        await read(world, ada, app, month)
    assert caught.value.data["field"] == "month"


async def test_the_months_that_can_be_chosen_reach_back_to_the_first_usage(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app

    async def months() -> list[str]:
        async with world.deps.read(ada) as uow:
            return await months_with_usage(uow.session, app, now=world.clock.now())

    assert await months() == ["2026-01"]
    await usage(world, app, ("messages", NEW_YEAR - timedelta(days=40), 1))
    assert await months() == ["2026-01", "2025-12", "2025-11"]


async def test_anothers_usage_is_nobodys(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    mine, theirs = (await world.app(ada)).app, (await world.app(bob)).app
    async with world.deps.database.unit_of_work() as uow:
        for app in (mine, theirs):
            await uow.session.execute(
                text("insert into control.usage_hourly values (:app, 'messages', :hour, 7)"),
                {"app": app.id, "hour": NEW_YEAR},
            )
    assert (await read(world, ada, mine)).meter("messages").total == 7
    foreign = await read(world, ada, theirs)
    assert {meter.total for meter in foreign.meters if meter.measured} == {0}
    assert {meter.limit for meter in foreign.meters} == {None}
    async with world.deps.read(ada) as uow:
        assert await totals_by_app(uow.session, ada, "2026-01") == {
            mine.id: {"messages": 7, "mau": 0, "peak_connections": 0, "storage_bytes": 0}
        }
        assert await totals_by_app(uow.session, ada, "2025-12") == {}
