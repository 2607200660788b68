"""This node's connections by app: how many there are, and the most there were at once in each UTC minute."""

from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from kernel.clock import Clock

LONGEST_GAP: Final = 60
"""Minutes that are made up for after the process stood still, in which its connections stayed as they were."""


class Peak(NamedTuple):
    """The most connections that an app had at once on this node within the minute that begins at `minute`."""

    app_id: UUID
    minute: datetime
    quantity: int


class ConnectionCounts:
    """Counts connections. A change costs a look at the clock; once a minute it costs a copy of the counts.

    A minute begins with what stands at its beginning, so a connection counts in every minute that it touches.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[UUID, int] = {}
        self._minute = self._current_minute()
        self._highest: dict[UUID, int] = {}
        self._ended: list[Peak] = []

    def __getitem__(self, app_id: UUID) -> int:
        return self._counts.get(app_id, 0)

    def as_dict(self) -> dict[UUID, int]:
        """The counts now, without zeros."""
        return dict(self._counts)

    def add(self, app_id: UUID) -> None:
        """One connection more."""
        self._turn()
        count = self._counts[app_id] = self._counts.get(app_id, 0) + 1
        if count > self._highest.get(app_id, 0):
            self._highest[app_id] = count

    def remove(self, app_id: UUID) -> int:
        """One connection less; returns how many are left."""
        self._turn()
        left = self._counts.get(app_id, 0) - 1
        if left > 0:
            self._counts[app_id] = left
            return left
        self._counts.pop(app_id, None)
        return 0

    def take_peaks(self, *, also_open: bool = False) -> list[Peak]:
        """The peaks of minutes that have ended, each handed out once; with `also_open` those of this minute so far."""
        self._turn()
        if also_open:
            self._end_minute()
        taken, self._ended = self._ended, []
        return taken

    def _turn(self) -> None:
        """End the minutes that are over. Comes before every change, so that each change falls into its own minute."""
        minute = self._current_minute()
        if minute == self._minute:
            return
        self._end_minute()
        # A clock that was set back begins an earlier minute again; whoever keeps peaks keeps the greater.
        for between in range(max(self._minute + 1, minute - LONGEST_GAP), minute):
            self._minute = between
            self._end_minute()
        self._minute = minute

    def _end_minute(self) -> None:
        at = datetime.fromtimestamp(self._minute * 60, UTC)
        self._ended += [Peak(app_id, at, highest) for app_id, highest in self._highest.items()]
        self._highest = dict(self._counts)

    def _current_minute(self) -> int:
        return int(self._clock.now().timestamp() // 60)
