"""Commits a node's minute peaks to its shard, where the relay makes them usage; see `minutes.py`.

A peak leaves memory only once it is committed, so an outage of the database costs none. A node that is killed loses the
open minute; one that is stopped commits that too.
"""

import asyncio
from collections import deque
from itertools import islice
from typing import Final

from data_plane.tenancy.counts import ConnectionCounts, Peak
from kernel.db import Database
from kernel.logging import get_logger

PERIOD: Final = 1.0
"""Seconds between looks; a look when no minute has ended asks nobody."""
BATCH: Final = 1_000
MOST_HELD: Final = 100_000
"""Peaks that wait for the database, about 20 MB; beyond it the oldest go."""

# In key order, so that no two writers wait for each other in a circle. A node that restarts within a minute has two
# peaks of it and never had both at once: the greater one counts. A greater one is reported again.
_SAVE: Final = """
    insert into chat.usage_samples as held (app_id, minute, node, quantity)
    select x.app_id, x.minute, $1, x.quantity
    from unnest($2::uuid[], $3::timestamptz[], $4::bigint[]) x(app_id, minute, quantity) order by x.app_id, x.minute
    on conflict (app_id, minute, node) do update set quantity = excluded.quantity, reported = false
    where held.quantity < excluded.quantity
"""
_log = get_logger(__name__)


class PeakSamples:
    """One node's writer. `database` connects as `natter_engine`."""

    def __init__(self, database: Database, counts: ConnectionCounts, *, node: str) -> None:
        self._database = database
        self._counts = counts
        self._node = node
        self._held: deque[Peak] = deque()
        self._away = False

    @property
    def waiting(self) -> int:
        """Peaks that are not committed yet."""
        return len(self._held)

    async def run(self) -> None:
        """Commit every minute's peaks soon after its end, for ever; what the database does not take is kept."""
        while True:
            self.gather()
            try:
                await self.commit()
            except Exception as error:
                if not self._away:
                    _log.warning("usage.samples_wait", error=repr(error), waiting=self.waiting)
                self._away = True
            else:
                self._away = False
            await asyncio.sleep(PERIOD)

    def gather(self, *, also_open: bool = False) -> None:
        """Take the peaks of ended minutes into the queue."""
        self._held += self._counts.take_peaks(also_open=also_open)
        lost = len(self._held) - MOST_HELD
        if lost > 0:
            for _ in range(lost):
                self._held.popleft()
            _log.error("usage.samples_lost", lost=lost, waiting=self.waiting)

    async def commit(self) -> None:
        """Commit what waits. Raises the database's error; what was not committed goes on waiting."""
        while self._held:
            batch = list(islice(self._held, BATCH))
            # Of one minute twice (it was open when the node was told to stop), one statement may write but one.
            rows = {(peak.app_id, peak.minute): peak for peak in sorted(batch, key=lambda peak: peak.quantity)}
            pool = await self._database.pool()
            await pool.execute(
                _SAVE,
                self._node,
                [peak.app_id for peak in rows.values()],
                [peak.minute for peak in rows.values()],
                [peak.quantity for peak in rows.values()],
            )
            for _ in batch:
                self._held.popleft()

    async def finish(self, seconds: float = 3.0) -> None:
        """The node stops: commit the open minute too. A database that is away is not waited for longer than this."""
        self.gather(also_open=True)
        try:
            async with asyncio.timeout(seconds):
                await self.commit()
        except Exception as error:
            _log.error("usage.samples_lost", lost=self.waiting, error=repr(error))
