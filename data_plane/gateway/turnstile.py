"""Where thousands come at once, each turn of the loop takes in some of them and goes on with everybody else."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from kernel.logging import get_logger

BUDGET: Final = 0.0005
"""Seconds that go on without a pause."""
PAUSE: Final = 0.001
"""Seconds for everybody else after them, at least."""
LONGEST: Final = 0.02
"""The same at most: who waits here is served, too."""
_log = get_logger(__name__)


class Turnstile:
    """Runs what enters, in order, for `BUDGET` at a time (one piece of work at least), with pauses in between.

    Without it a turn of the loop does all that came during the one before it, and is the longer for it. A pause is as
    long as the one before it came to an end late: the more others there are who want the loop, or the processor, the
    less is taken from them.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[..., Any], tuple[Any, ...], bool]] = deque()
        self._running = False
        self._ends = 0.0
        self._due = 0.0
        """When a pause was to end; 0 outside of one."""

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Run this when its turn has come, soon."""
        self._put(work, arguments, False)

    def enter_waking(self, work: Callable[[], None]) -> None:
        """Run this when its turn has come, soon. What it starts in the loop counts."""
        self._put(work, (), True)

    def resolve(self, future: "asyncio.Future[Any]", result: Any) -> None:
        """Set a future's result when its turn has come, soon. What its waiter does then counts."""
        self._put(_set, (future, result), True)

    def _put(self, work: Callable[..., Any], arguments: tuple[Any, ...], wakes: bool) -> None:
        self._waiting.append((work, arguments, wakes))
        if not self._running:
            self._running = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        now = time.monotonic()
        late = now - self._due if self._due else 0.0
        self._due = 0.0
        self._ends = now + BUDGET
        self._run(late)

    def _run(self, late: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            work, arguments, wakes = self._waiting.popleft()
            try:
                work(*arguments)
            except Exception:
                _log.exception("turnstile.failed")
            if wakes:
                loop.call_soon(self._go_on, late)  # after what it woke
                return
            if time.monotonic() >= self._ends:
                break
        self._pause(late)

    def _go_on(self, late: float) -> None:
        if time.monotonic() >= self._ends:
            self._pause(late)
        else:
            self._run(late)

    def _pause(self, late: float) -> None:
        # After the last, too: those who come singly, one after another, must not be a crowd without pauses.
        if not self._waiting and time.monotonic() < self._ends:
            self._running = False
            return
        pause = min(PAUSE + late, LONGEST)
        self._due = time.monotonic() + pause
        asyncio.get_running_loop().call_later(pause, self._after)

    def _after(self) -> None:
        if self._waiting:
            self._turn()
        else:
            self._running, self._due = False, 0.0


def _set(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)
