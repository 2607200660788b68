"""Billing periods: boundaries are the anchor plus whole intervals, in UTC, clamped to the ends of short months."""

import calendar
from datetime import UTC, datetime, timedelta
from typing import Final

HOUR: Final = 3_600
DAY: Final = 24 * HOUR


def boundary(anchor: int, interval: str, count: int, steps: int) -> int:
    """The moment `steps` intervals of `count` days, weeks, months or years after the anchor; negative: before it."""
    moment = datetime.fromtimestamp(anchor, UTC)
    if interval in ("day", "week"):
        return int((moment + timedelta(days=(7 if interval == "week" else 1) * count * steps)).timestamp())
    months = moment.month - 1 + (12 if interval == "year" else 1) * count * steps
    year, month = moment.year + months // 12, months % 12 + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return int(moment.replace(year=year, month=month, day=day).timestamp())


def interval_around(anchor: int, interval: str, count: int, moment: int) -> tuple[int, int]:
    """The whole interval that holds the moment: its begin (≤ moment) and its end (> moment)."""
    length = {"day": DAY, "week": 7 * DAY, "month": 30.44 * DAY, "year": 365.25 * DAY}[interval] * count
    steps = int((moment - anchor) // length)
    while boundary(anchor, interval, count, steps) > moment:
        steps -= 1
    while boundary(anchor, interval, count, steps + 1) <= moment:
        steps += 1
    return boundary(anchor, interval, count, steps), boundary(anchor, interval, count, steps + 1)


def next_day_of_month(moment: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    """The first time after the moment that a month comes to this day and time."""
    at = datetime.fromtimestamp(moment, UTC)
    year, month = at.year, at.month
    while True:
        last = calendar.monthrange(year, month)[1]
        candidate = int(datetime(year, month, min(day, last), hour, minute, second, tzinfo=UTC).timestamp())
        if candidate > moment:
            return candidate
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def words(moment: int) -> str:
    """A day as invoices write it: `1 Nov 2026`."""
    at = datetime.fromtimestamp(moment, UTC)
    return f"{at.day} {at:%b %Y}"
