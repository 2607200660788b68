"""When secret keys were last used here, for the portal to show; it hears of it with the poll for snapshots."""

from datetime import datetime, timedelta
from typing import Final

from kernel.clock import Clock

PERIOD: Final = timedelta(minutes=1)
"""A key in constant use is told of once in so long."""
MOST: Final = 100
"""Keys told of at once; the rest waits for the next poll."""


class KeyUses:
    """In memory of one process: what a crash loses is a minute of a date."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: dict[str, datetime] = {}
        self._told: dict[str, datetime] = {}

    def note(self, key_id: str) -> None:
        """A request came with this key. Part of every server's call: one look at the clock, no wait."""
        self._used[key_id] = self._clock.now()

    def due(self) -> dict[str, datetime]:
        """What is to be told now. `told` says that it was."""
        due: dict[str, datetime] = {}
        for key_id, at in self._used.items():
            last = self._told.get(key_id)
            if last is None or at - last >= PERIOD:
                due[key_id] = at
                if len(due) == MOST:
                    break
        return due

    def told(self, uses: dict[str, datetime]) -> None:
        """The control plane has these."""
        for key_id, at in uses.items():
            self._told[key_id] = at
            if self._used.get(key_id) == at:
                del self._used[key_id]
        # What was told long ago and not used since is forgotten.
        old = self._clock.now() - 2 * PERIOD
        self._told = {key_id: at for key_id, at in self._told.items() if at > old}


def as_parameter(uses: dict[str, datetime]) -> str:
    """`key_…@1764180000,…`: keys with the second of their last use."""
    return ",".join(f"{key_id}@{int(at.timestamp())}" for key_id, at in uses.items())
