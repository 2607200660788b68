"""When people write: by day, at work, more from month to month."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final

from kernel.clock import truncate_ms

_HOURS: Final = (2, 1, 1, 1, 1, 2, 6, 20, 60, 90, 100, 95, 70, 85, 100, 95, 85, 60, 35, 28, 24, 18, 10, 5)
_WEEKDAYS: Final = (1.0, 1.05, 1.05, 1.0, 0.85, 0.18, 0.15)
_AT_FIRST: Final = 0.35
"""Of the talk at the end."""


class Rhythm:
    """The instants of `count` messages between two times, rising. Memory: one number an hour."""

    def __init__(self, since: datetime, until: datetime, count: int, dice: Random) -> None:
        self._since = since
        self._count = count
        self._dice = dice
        hours = max(1, int((until - since).total_seconds() // 3600))
        self._share = (until - since) / hours
        self._until: list[float] = []
        total = 0.0
        for hour in range(hours):
            at = since + timedelta(hours=hour)
            growth = _AT_FIRST + (1 - _AT_FIRST) * hour / hours
            total += _HOURS[at.hour] * _WEEKDAYS[at.weekday()] * growth
            self._until.append(total)

    def __iter__(self) -> Iterator[datetime]:
        total = self._until[-1]
        for place in range(self._count):
            aim = total * (place + self._dice.random()) / self._count
            hour = min(bisect_right(self._until, aim), len(self._until) - 1)
            before = self._until[hour - 1] if hour else 0.0
            at = self._since + self._share * (hour + (aim - before) / (self._until[hour] - before))
            yield truncate_ms(at)
