"""Numbers and times as pages show them."""

from datetime import UTC, datetime, timedelta
from typing import Final

from markupsafe import Markup

from kernel.clock import rfc3339

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def number(value: float) -> str:
    """`12,345`"""
    return f"{value:,}"


def size(value: int) -> str:
    """Bytes in powers of ten: `1.2 MB`."""
    amount, unit = float(value), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 or amount >= 10 else f"{amount:.1f} {_UNITS[unit]}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 app`, `2 apps`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def absolute(at: datetime) -> str:
    """`24 Nov 2026, 03:48:02 UTC`"""
    return f"{at.day} {at.astimezone(UTC):%b %Y, %H:%M:%S} UTC"


def date(at: datetime) -> str:
    """`24 Nov 2026`"""
    return f"{at.day} {at.astimezone(UTC):%b %Y}"


def relative(at: datetime, now: datetime) -> str:
    """`3 minutes ago`, `in 2 hours`; a date when it is more than 30 days away."""
    away = at - now
    if abs(away) > timedelta(days=30):
        return date(at)
    seconds = abs(int(away.total_seconds()))
    if seconds < 45:
        return "just now" if away <= timedelta() else "in a moment"
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length or unit == "minute":
            words = plural(max(1, round(seconds / length)), unit)
            return f"{words} ago" if away < timedelta() else f"in {words}"
    raise AssertionError


def time_element(at: datetime, now: datetime) -> Markup:
    """A relative time that shows the absolute one on hover and to programs."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(rfc3339(at), absolute(at), relative(at, now))
