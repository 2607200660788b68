"""Amounts in words: every number that a page shows has its unit."""

from typing import Final

NAMES: Final = {
    "messages": "Messages",
    "mau": "Monthly active users",
    "peak_connections": "Peak connections",
    "storage_bytes": "Storage",
}

_UNITS: Final = {
    "messages": ("message", "messages"),
    "mau": ("active user", "active users"),
    "peak_connections": ("connection", "connections"),
}
_POWERS: Final = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def amount(meter: str, value: int) -> str:
    """`1,204 messages`, `1 active user`, `1.2 GB`."""
    if meter == "storage_bytes":
        return size(value)
    one, many = _UNITS[meter]
    return f"{value:,} {one if value == 1 else many}"


def size(value: float) -> str:
    """Bytes as people read them, in powers of 1,000 as plans count them: `1.2 GB`."""
    for power, letter in _POWERS:
        if value >= power:
            return f"{_short(value / power)} {letter}B"
    return f"{value:,.0f} byte{'' if value == 1 else 's'}"


def axis_label(meter: str, value: float) -> str:
    """A number beside a line of the grid: `200k`."""
    if meter == "storage_bytes":
        return size(value)
    for power, letter in _POWERS[1:]:
        if value >= power:
            return f"{_short(value / power)}{'B' if letter == 'G' else letter}"
    return _short(value)


def share(used: int, limit: int) -> str:
    """How much of a limit is used: `42%`; never `0%` when something is, nor `100%` when something is left."""
    if limit == 0:
        return "100%"
    percent = 100 * used / limit
    if 0 < percent < 1:
        return "under 1%"
    return "over 99%" if 99 < percent < 100 else f"{percent:,.0f}%"


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
