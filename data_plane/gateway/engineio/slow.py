"""Whether a client that is behind is slow. What one missed comes at once, and may be more than is let wait: who takes
it is not slow."""

import asyncio
from collections.abc import Callable
from typing import Final

CHECK: Final = 0.25
"""Seconds between two looks."""


class Judge:
    """Looks at one client from when it is behind until it has caught up, and ends by itself.

    `buffered()`: bytes that wait for it, null once it is gone. `limit`: how many may wait. `rate`: bytes a second that
    a client takes at least; it gets the time that what waits takes at this rate, and may fall behind by `limit` more
    meanwhile. `over(slow)` is called once, at the end.
    """

    __slots__ = ("_allowed", "_buffered", "_deadline", "_limit", "_over", "_rate")

    def __init__(
        self, buffered: Callable[[], int | None], *, limit: int, rate: int, over: Callable[[bool], None]
    ) -> None:
        self._buffered = buffered
        self._limit = limit
        self._rate = rate
        self._over = over
        self._let_wait(buffered() or 0)
        self._look_later()

    def _let_wait(self, size: int) -> None:
        self._allowed = size
        self._deadline = asyncio.get_running_loop().time() + size / self._rate

    def _look_later(self) -> None:
        asyncio.get_running_loop().call_later(CHECK, self._look)

    def _look(self) -> None:
        waiting, limit = self._buffered(), self._limit
        if waiting is None or waiting * 4 <= limit:
            self._over(False)
            return
        if waiting <= limit:
            self._let_wait(limit)
        elif waiting > self._allowed + limit or asyncio.get_running_loop().time() > self._deadline:
            self._over(True)
            return
        self._look_later()
