"""The one source of time. Passed in everywhere, also for SQL, so that a test can move it."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = tuple(f"{second:02d}." for second in range(60))
_MILLIS: Final = tuple(f"{milli:03d}Z" for milli in range(1000))


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for what is measured."""

    def now(self) -> datetime:
        """The current instant, timezone-aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    monotonic = staticmethod(time.monotonic)  # asked at every event: a call less

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, delta: timedelta) -> None:
        """Move both wall and monotonic time forward."""
        self._now += delta
        self._monotonic += delta.total_seconds()


@lru_cache(1024)
def rfc3339(at: datetime) -> str:
    """`2026-01-15T12:00:00.000Z`: UTC with milliseconds, the one form of time on the wire.

    Remembered for a while, because all that one flush stored has one time, which each event and answer says several
    times.
    """
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


@lru_cache(8192)
def rfc3339_of_millis(millis: int) -> str:
    """`rfc3339` of an instant that is given as whole milliseconds since 1970: a fifth of the work."""
    minute, rest = divmod(millis, 60_000)
    return f"{_minute(minute)}{_SECONDS[rest // 1000]}{_MILLIS[rest % 1000]}"


@lru_cache(4096)
def _minute(minute: int) -> str:
    """What all instants of a minute begin with."""
    return (_EPOCH + timedelta(minutes=minute)).isoformat()[:17]


def truncate_ms(at: datetime) -> datetime:
    """Drop microseconds below a millisecond, so that what is stored equals what is shown."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def month_of(at: datetime) -> str:
    """The UTC billing month of an instant, as `2026-01`."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return _month(at.year, at.month)


@lru_cache(16)
def _month(year: int, month: int) -> str:
    return f"{year:04d}-{month:02d}"
