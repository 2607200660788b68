"""Follows the shard's commits, so that no node depends on the bus for completeness.

A node killed between its commit and its publication leaves no gap that others could see; here they see it. Also the
source of the cursors that live connections are given: everything below a followed horizon has been delivered.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from data_plane.fanout.hub import Hub
from data_plane.log import LogKey, LogReader
from kernel.clock import Clock
from kernel.logging import get_logger

PERIOD: Final = 1.0
CURRENT: Final = 2.0
"""Seconds for which a look is good: what was removed longer ago than this is known, or nothing passes that needs it."""
PATIENCE: Final = 1800.0
"""Seconds without a look after which commit rows may have been removed unseen; they are kept for an hour."""
_log = get_logger(__name__)


class Follower:
    """Reads the commit log every second and tells the hub where each log must be.

    `on_horizon(horizon, began)` is called after everything below a horizon has been passed on to those who had joined
    when the look began, as the clock's monotonic seconds; `on_lost` when the node was away for
    too long to know what it missed (a suspended machine, a database that was unreachable); `also` runs every round,
    for what else must be looked up regularly; `on_heads` gets where each commit left its logs.
    """

    def __init__(
        self,
        hub: Hub,
        reader: LogReader,
        clock: Clock,
        *,
        on_horizon: Callable[[int, float], None],
        on_lost: Callable[[], None],
        also: Callable[[], Awaitable[None]] | None = None,
        on_heads: Callable[[list[tuple[LogKey, int]]], Awaitable[None]] | None = None,
    ) -> None:
        self._hub = hub
        self._reader = reader
        self._clock = clock
        self._on_horizon = on_horizon
        self._on_lost = on_lost
        self._also = also
        self._on_heads = on_heads
        self._horizon = 0
        self._looked_at = 0.0
        self._current_as_of = 0.0
        self.lag_failures = 0
        """Rounds in a row that failed; the node is blind to lost bus messages meanwhile."""

    def is_current(self) -> bool:
        """Whether everything that was committed `CURRENT` seconds ago has been passed on, as far as no long transaction
        hides it. False for a node that was suspended or is cut off from the database."""
        return self._clock.monotonic() - self._current_as_of <= CURRENT

    async def start_at_present(self) -> None:
        """Begin here: connections that come later take their positions from later snapshots."""
        self._current_as_of = self._clock.monotonic()
        self._horizon = self._hub.announced = await self._reader.horizon()
        self._looked_at = self._clock.monotonic()

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            try:
                more = await self.round()
                self.lag_failures = 0
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self.lag_failures += 1
                _log.warning("follower.failed", error=repr(error), failures=self.lag_failures)
                more = False
            if not more:
                await asyncio.sleep(PERIOD)

    async def round(self) -> bool:
        """One look; whether more is waiting."""
        if self._also is not None:
            await self._also()
        if self._clock.monotonic() - self._looked_at > PATIENCE:
            _log.error("follower.lost", seconds=round(self._clock.monotonic() - self._looked_at))
            self._on_lost()
            await self.start_at_present()
            return False
        began = self._clock.monotonic()
        since = self._hub.since(self._horizon)
        try:
            commits, horizon = await self._reader.commits(since)
            self._looked_at = self._clock.monotonic()
            for commit in commits:
                self._hub.committed_up_to(commit.heads)
                if self._on_heads is not None:
                    await self._on_heads(commit.heads)
        except BaseException:
            self._hub.announce_again(since)
            raise
        self._hub.announced = max(self._hub.announced, horizon)
        await self._hub.settle()
        more = horizon != self._horizon and len(commits) >= 2000
        self._horizon = horizon
        if not more:
            self._current_as_of = began
            self._on_horizon(horizon, began)
        return more
