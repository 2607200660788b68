"""Where several apps use a node at once, each reads in its own turn.

Within what its plan allows an app may ask for twenty pages in one moment. Alone on the node it shall have them as fast
as the machine goes. Beside others each of them is one more that wants the processor before the next message of
somebody else: their reads go one after another then, which costs the app little and the others next to nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final
from uuid import UUID

COMPANY_FOR: Final = 1.0
"""Seconds for which a node counts as shared after another app was seen than the one before."""
LONGEST: Final = 0.025
"""Seconds that a read waits for its turn at most: a slow one must not hold up all the others of its app."""


class Turns:
    """The turns of one node's reads. `now` is a monotonic clock, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last: UUID | None = None
        self._shared_until = 0.0
        self._lines: dict[UUID, _Line] = {}

    def seen(self, app_id: UUID) -> None:
        """An app does something here."""
        if self._last is not app_id:
            if self._last is not None and self._last != app_id:
                self._shared_until = self._now() + COMPANY_FOR
            self._last = app_id

    @property
    def shared(self) -> bool:
        """Whether several apps use the node at the moment."""
        return self._now() < self._shared_until

    async def enter(self, app_id: UUID) -> bool:
        """Wait for the app's turn, where it has to take turns. Returns whether `leave` has to end it."""
        self.seen(app_id)
        if not self.shared:
            return False
        line = self._lines.get(app_id)
        if line is None:
            line = self._lines[app_id] = _Line()
        if not line.inside:
            line.inside = 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        line.waiting.append(turn)
        timer = loop.call_later(LONGEST, _let_in, line, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(app_id)  # its turn had come already: somebody else's, then
            raise
        finally:
            timer.cancel()
        return True

    def leave(self, app_id: UUID) -> None:
        """The end of a turn."""
        line = self._lines[app_id]
        line.inside -= 1
        while line.waiting and (not line.inside or not self.shared):
            _let_in(line, line.waiting.popleft())
        if not line.inside:
            del self._lines[app_id]


class _Line:
    __slots__ = ("inside", "waiting")

    def __init__(self) -> None:
        self.inside = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        """Who waits, the longest first; some may have been let in by their timers, or have gone."""


def _let_in(line: _Line, turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        line.inside += 1
        turn.set_result(None)
