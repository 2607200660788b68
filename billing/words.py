"""Meters and their amounts in words: every number has its unit."""

from typing import Final

METERS: Final = {
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
_POWERS: Final = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def amount(meter: str, value: int) -> str:
    """`1,204 messages`, `1 active user`, `1.2 GB`."""
    if meter == "storage_bytes":
        return size(value)
    one, many = _UNITS[meter]
    return f"{value:,} {one if value == 1 else many}"


def part(meter: str, value: int, limit: int) -> str:
    """How much of a limit: `1,204 of 2,000 messages`, `2 kB of 1 GB`."""
    used = size(value) if meter == "storage_bytes" else f"{value:,}"
    return f"{used} of {amount(meter, limit)}"


def size(value: float) -> str:
    """Bytes as people read them, in powers of 1,000 as plans count them: `1.2 GB`."""
    for power, letters in _POWERS:
        if value >= power:
            return f"{short(value / power)} {letters}"
    return f"{value:,.0f} byte{'' if value == 1 else 's'}"


def short(value: float) -> str:
    """One digit after the point, if it is not zero."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
