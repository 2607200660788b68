"""Removes what has served its time, in small batches, so that no transaction is long enough to hold a cursor up."""

from datetime import timedelta
from typing import Final

from data_plane.idempotency import LIFETIME
from kernel.clock import Clock
from kernel.db import Database

BATCH: Final = 1000
COMMITS_KEPT: Final = timedelta(hours=1)
"""Followers live at the head of the commit log; one that is further behind than this starts anew."""
SAMPLES_KEPT: Final = timedelta(days=1)
"""How late a node's sample may come and still be added to those of the other nodes."""

# The oldest by key are looked at and no others, so a round without work costs one page. Nothing at or above the horizon
# goes, however old: followers have not been there yet while a long transaction holds it.
_COMMITS: Final = """
    delete from chat.commits c using (
        select o.xid, o.pos, o.at from chat.commits o order by o.xid, o.pos limit $2
    ) x where c.xid = x.xid and c.pos = x.pos and x.at < $1 and x.xid < chat.horizon()
"""
_REFRESH: Final = """
    delete from chat.refresh_tokens where (app_id, digest) in (
        select app_id, digest from chat.refresh_tokens where expires_at <= $1 order by expires_at limit $2)
"""
_IDEMPOTENCY: Final = """
    delete from chat.idempotency_keys where (app_id, caller, key) in (
        select app_id, caller, key from chat.idempotency_keys where created_at <= $1 order by created_at limit $2)
"""
_SAMPLES: Final = """
    delete from chat.usage_samples where (app_id, minute, node) in (
        select app_id, minute, node from chat.usage_samples where reported and minute <= $1 order by minute limit $2)
"""


class Retention:
    """The rules of one shard. `database` connects as `natter_engine`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def sweep(self) -> dict[str, int]:
        """Remove everything due; returns rows by table. Each batch is a transaction of its own."""
        now = self._clock.now()
        rules = {
            "commits": (_COMMITS, now - COMMITS_KEPT),
            "refresh_tokens": (_REFRESH, now),
            "idempotency_keys": (_IDEMPOTENCY, now - LIFETIME),
            "usage_samples": (_SAMPLES, now - SAMPLES_KEPT),
        }
        pool = await self._database.pool()
        removed = {}
        for table, (statement, before) in rules.items():
            removed[table] = 0
            while True:
                status: str = await pool.execute(statement, before, BATCH)
                count = int(status.rpartition(" ")[2])
                removed[table] += count
                if count < BATCH:
                    break
        return removed
