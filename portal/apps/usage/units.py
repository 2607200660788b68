"""Amounts in words: every number that a page shows has its unit."""

from typing import Final

from billing.words import METERS as NAMES
from billing.words import amount, part, short, size

__all__ = ["NAMES", "amount", "axis_label", "part", "share", "size"]

_POWERS: Final = ((10**9, "B"), (10**6, "M"), (10**3, "k"))


def axis_label(meter: str, value: float) -> str:
    """A number beside a line of the grid: `200k`."""
    if meter == "storage_bytes":
        return size(value)
    for power, letter in _POWERS:
        if value >= power:
            return f"{short(value / power)}{letter}"
    return short(value)


def share(used: int, limit: int) -> str:
    """How much of a limit is used: `42%`; never `0%` when something is, nor `100%` when something is left."""
    if limit == 0:
        return "100%"
    percent = 100 * used / limit
    if 0 < percent < 1:
        return "under 1%"
    return "over 99%" if 99 < percent < 100 else f"{percent:,.0f}%"
