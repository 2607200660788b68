"""Apps of which tokens come that name a signing key this node does not know.

The control plane hears of it with the poll for snapshots, and reads the app's key sets again.
"""

from datetime import datetime, timedelta
from typing import Final

from kernel.clock import Clock

PERIOD: Final = timedelta(minutes=1)
"""An app is told of once in so long, whatever its tokens name."""
MOST: Final = 20
"""Apps told of at once."""


class UnknownKids:
    """In memory of one process. An app stands here once, however many tokens come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: set[str] = set()
        self._told: dict[str, datetime] = {}

    def note(self, app_id: str) -> None:
        """A token of this app, which is served here, names a key that is not known."""
        last = self._told.get(app_id)
        if last is None or self._clock.now() - last >= PERIOD:
            self._waiting.add(app_id)

    def due(self) -> list[str]:
        """Apps to tell of now. `told` says that they were."""
        return sorted(self._waiting)[:MOST]

    def told(self, app_ids: list[str]) -> None:
        """The control plane has these."""
        now = self._clock.now()
        self._waiting.difference_update(app_ids)
        self._told = {app: at for app, at in self._told.items() if now - at < PERIOD} | dict.fromkeys(app_ids, now)
