"""Usage for people: a month of an app by the day, against the plan's limits, with a forecast.

The forecast is a straight line from the month's first instant through what was used up to now: total x length of the
month / time gone. It is given for meters that add up, while the month runs, once a day of it is over; before that it
would be noise. For active users it says too much rather than too little, because a user counts in a month once. A peak
is a level, which no line through the past foretells, so it has none; nor have stored bytes, of which a day shows
what was stored at its end.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.usage.periods import month_bounds
from billing.usage.rollup import METERED
from control_plane import entitlements
from control_plane.apps.models import App
from control_plane.entitlements import METERS
from control_plane.entitlements.models import Entitlement
from control_plane.members import Member
from kernel.clock import month_of
from kernel.contracts import Meter, OverLimit

UNITS: Final[dict[Meter, str]] = {
    "messages": "messages",
    "mau": "active users",
    "peak_connections": "connections",
    "storage_bytes": "bytes",
}
_FORECAST_AFTER: Final = timedelta(days=1)

_DAYS = text(
    """
    select meter, (hour at time zone 'UTC')::date as day,
        (case when meter = 'peak_connections' then max(quantity) else sum(quantity) end)::bigint as quantity
    from control.usage_hourly where app_id = :app_id and hour >= :begin and hour < :end group by 1, 2
    """
)
_TOTALS = text(
    """
    select app_id, meter,
        (case when meter = 'peak_connections' then max(quantity) else sum(quantity) end)::bigint as quantity
    from control.usage_hourly
    where app_id in (select id from control.apps where organization_id = :organization and status <> 'deleted')
        and hour >= :begin and hour < :end and meter <> 'storage_bytes'
    group by 1, 2
    union all
    select app_id, 'storage_bytes', greatest(sum(quantity), 0)::bigint from control.usage_levels
    where app_id in (select id from control.apps where organization_id = :organization and status <> 'deleted')
        and month <= :month
    group by 1
    """
)
_BEFORE = text(
    "select coalesce(sum(quantity), 0)::bigint from control.usage_levels where app_id = :app and month < :month"
)
_FIRST = text("select min(hour) from control.usage_hourly where app_id = :app_id")


@dataclass(frozen=True, slots=True)
class DayPoint:
    """One UTC day. `total` is the month's up to its end: the sum so far, of a peak the highest so far, of stored
    bytes those that are there then (`value` is the same)."""

    day: date
    value: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReport:
    """One meter in the month. `total` is `None` while the meter is not measured, `limit` is `None` for unlimited.

    `adds_up`: days sum to the month, and the curve of `DayPoint.total` is the one to draw. `limit` and `over` are those
    of the plan that the app is on now, also for a past month.
    """

    meter: Meter
    unit: str
    adds_up: bool
    measured: bool
    days: tuple[DayPoint, ...]
    total: int | None
    limit: int | None
    over: OverLimit
    exceeded: bool
    forecast: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthReport:
    """A month of an app: `begin` is its first day, `end` its last, `today` the day that days run up to (or `end`)."""

    month: str
    begin: date
    end: date
    today: date
    complete: bool
    plan: str
    plan_version: int
    meters: tuple[MeterReport, ...]

    def meter(self, name: Meter) -> MeterReport:
        """One of them by name."""
        return next(report for report in self.meters if report.meter == name)


async def month_report(session: AsyncSession, app: App, month: str, *, now: datetime) -> MonthReport:
    """The month by the day, up to now. Raises `InvalidInput` for a month not written as 2026-01.

    It reads what the rollup holds, so it says the same as standings and invoices.
    """
    begin, end = month_bounds(month)
    rows = await session.execute(_DAYS, {"app_id": app.id, "begin": begin, "end": end})
    used: dict[tuple[str, date], int] = {(row.meter, row.day): row.quantity for row in rows}
    last = (end - timedelta(days=1)).date()
    # Usage is accepted from clocks that run a little fast, so a row may lie beyond now.
    today = min(last, max([begin.date(), now.astimezone(UTC).date(), *(day for _, day in used)]))
    days = [begin.date() + timedelta(days=number) for number in range((today - begin.date()).days + 1)]
    if now < begin:
        days = [day for day in days if used]
    limits = {row.meter: row for row in await entitlements.read(session, app.id)}
    gone = min(now, end) - begin
    stretch = (end - begin) / gone if begin <= now < end and gone >= _FORECAST_AFTER else None
    stored: int = (await session.execute(_BEFORE, {"app": app.id, "month": month})).scalar_one()
    meters = [_meter(meter, limits.get(meter), _points(meter, days, used, stored), stretch) for meter in METERS]
    return MonthReport(
        month=month,
        begin=begin.date(),
        end=last,
        today=today,
        complete=now >= end,
        plan=app.plan,
        plan_version=app.plan_version,
        meters=tuple(meters),
    )


async def totals_by_app(session: AsyncSession, member: Member, month: str) -> dict[UUID, dict[str, int]]:
    """The month's totals by app and meter; an app without usage is left out. Raises `Forbidden`, `InvalidInput`."""
    member.require("usage.read")
    begin, end = month_bounds(month)
    values = {"organization": member.organization_id, "begin": begin, "end": end, "month": month}
    rows = await session.execute(_TOTALS, values)
    totals: dict[UUID, dict[str, int]] = {}
    for row in rows:
        totals.setdefault(row.app_id, dict.fromkeys(METERED, 0))[row.meter] = row.quantity
    return totals


async def months_with_usage(session: AsyncSession, app: App, *, now: datetime) -> list[str]:
    """The months from the app's first usage to this one, the newest first; at least this one."""
    first: datetime | None = (await session.execute(_FIRST, {"app_id": app.id})).scalar_one()
    oldest = month_of(min(first or now, now))
    months = [month_of(now)]
    while months[-1] > oldest:
        begin, _ = month_bounds(months[-1])
        months.append(month_of(begin - timedelta(days=1)))
    return months


def _meter(meter: Meter, limit: Entitlement | None, points: tuple[DayPoint, ...], stretch: float | None) -> MeterReport:
    """`stretch`: how many times as long as up to now the whole month is, if it is time for a forecast."""
    measured, adds_up = meter in METERED, meter in ("messages", "mau")
    total = (points[-1].total if points else 0) if measured else None
    included = limit.included if limit else None
    return MeterReport(
        meter=meter,
        unit=UNITS[meter],
        adds_up=adds_up,
        measured=measured,
        days=points if measured else (),
        total=total,
        limit=included,
        over=_over(limit.over if limit else "stop"),
        exceeded=total is not None and entitlements.is_exceeded(meter, total, included),
        forecast=None if total is None or stretch is None or not adds_up else round(total * stretch),
    )


def _points(meter: Meter, days: list[date], used: dict[tuple[str, date], int], stored: int) -> tuple[DayPoint, ...]:
    """`stored`: bytes at the month's begin."""
    points, total = [], stored if meter == "storage_bytes" else 0
    for day in days:
        value = used.get((meter, day), 0)
        total = max(total, value) if meter == "peak_connections" else total + value
        if meter == "storage_bytes":
            points.append(DayPoint(day, max(0, total), max(0, total)))
        else:
            points.append(DayPoint(day, value, total))
    return tuple(points)


def _over(text: str) -> OverLimit:
    match text:
        case "bill" | "throttle" | "stop":
            return text
    raise AssertionError(text)
