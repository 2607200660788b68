"""Where thousands come at once, each turn of the loop takes in some of them and goes on with everybody else."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from kernel.logging import get_logger

BUDGET: Final = 0.002
"""Seconds of one turn of the loop."""
_log = get_logger(__name__)


class Turnstile:
    """Runs what enters, in order, for at most `BUDGET` of each turn of the loop (and one piece of work at least).

    Without it a turn does all that came during the one before it, and is the longer for it: so each brings more than
    the last for as long as they come faster than they are served.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()

    def enter(self, work: Callable[..., None], *arguments: Any) -> None:
        """Run this when its turn has come, soon."""
        self._waiting.append((work, arguments))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        end = time.monotonic() + BUDGET
        while self._waiting:
            work, arguments = self._waiting[0]
            try:
                work(*arguments)
            except Exception:
                _log.exception("turnstile.failed")
            self._waiting.popleft()
            if time.monotonic() >= end:
                break
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
