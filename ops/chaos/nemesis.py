"""Breaks an installation at random moments, in a way that a seed repeats."""

import asyncio
import random
import signal
import time

from tests.scenarios.delivery.history import History
from tests.scenarios.installation import NODES, Installation, Part

PAUSE_INSTEAD = 0.25
"""How often a process, once its time to die has come for the second time, is stopped for a while instead."""
GAP_SECONDS = (0.8, 2.4)
"""Between one blow and the next."""
DEAD_SECONDS = (0.0, 1.2)
"""How long the dead stay dead."""
STOPPED_SECONDS = (0.5, 2.5)
"""How long a SIGSTOP lasts."""


class Nemesis:
    """Kills `targets`, each at least once and in random order, and counts what it did.

    One node is always left alone while the other comes back, so that there is somebody to talk to.
    """

    def __init__(
        self, installation: Installation, history: History, rng: random.Random, targets: tuple[str, ...]
    ) -> None:
        self._installation = installation
        self._history = history
        self._random = rng
        self._targets = targets
        self.kills: dict[str, int] = dict.fromkeys(targets, 0)

    async def rage(self, seconds: float, *, rounds: int = 1) -> None:
        """Strike for a while, and until each target was struck `rounds` times; afterwards everything is whole again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end or min(self.kills.values()) < rounds:
            await asyncio.sleep(self._random.uniform(*GAP_SECONDS))
            targets = self._random.sample(self._targets, len(self._targets))
            targets.sort(key=lambda target: self.kills[target] >= rounds)
            up = [target for target in targets if await self._may_fall(target)]
            if up:
                await self._strike(up[0])
        await self._installation.ready()
        self._history.note("whole again")

    async def _may_fall(self, target: str) -> bool:
        parts = [self._installation.parts[name] for name in (NODES if target in NODES else (target,))]
        return all([part.alive and await part.is_ready(part) for part in parts])

    async def _strike(self, target: str) -> None:
        part = self._installation.parts[target]
        if self.kills[target] and self._random.random() < PAUSE_INSTEAD:
            await self._hold(part)
            return
        pause = self._random.uniform(*DEAD_SECONDS)
        self._history.note(f"kill -9 {part.name}, back after {pause:.1f} s")
        self._installation.kill(target, pause=pause)
        self.kills[target] += 1
        while part.alive:
            await asyncio.sleep(0.01)

    async def _hold(self, part: Part) -> None:
        seconds = self._random.uniform(*STOPPED_SECONDS)
        self._history.note(f"stop {part.name} for {seconds:.1f} s")
        assert part.child is not None
        part.child.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            part.child.send_signal(signal.SIGCONT)
            self._history.longest_stop = max(self._history.longest_stop, seconds)
