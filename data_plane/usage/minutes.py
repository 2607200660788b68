"""Makes one usage row of each minute's samples of an app: the sum over nodes of the highest count each had in it.

A minute is closed some seconds after its end, so that every node has had time to commit. What comes later (a node was
cut off from the database) opens it again: a further row carries the new sum over all nodes, and of an app's rows of one
minute the ledger's rollup takes the greatest. So a late sample is counted, and none is counted twice.
"""

from datetime import timedelta
from typing import Final

from kernel.clock import Clock
from kernel.db import Database

GRACE: Final = timedelta(seconds=15)
"""From a minute's end until it is closed."""
BATCH: Final = 1_000
"""Minutes of apps that one transaction closes."""

# A sample that its node is just writing is left for the next round.
_CLAIM: Final = """
    update chat.usage_samples set reported = true where (app_id, minute, node) in (
        select s.app_id, s.minute, s.node from chat.usage_samples s join (
            select distinct o.minute, o.app_id from chat.usage_samples o
            where not o.reported and o.minute <= $1 order by 1, 2 limit $2
        ) due on due.app_id = s.app_id and due.minute = s.minute
        where not s.reported for update of s skip locked)
    returning app_id, minute
"""
# A statement of its own after the claim: its snapshot has the quantities that were claimed, and whatever came since.
_COUNT: Final = """
    insert into chat.usage_outbox (app_id, meter, quantity, at)
    select s.app_id, 'peak_connections', sum(s.quantity), s.minute
    from chat.usage_samples s
    where (s.app_id, s.minute) in (select * from unnest($1::uuid[], $2::timestamptz[]))
    group by s.app_id, s.minute order by s.minute, s.app_id
"""


async def close_minutes(database: Database, clock: Clock) -> int:
    """Close what is due, oldest first; returns how many minutes of apps. `database` connects as `natter_engine`."""
    before = clock.now() - GRACE - timedelta(minutes=1)
    pool = await database.pool()
    closed = 0
    while True:
        async with pool.acquire() as connection, connection.transaction():
            rows = {(row["app_id"], row["minute"]) for row in await connection.fetch(_CLAIM, before, BATCH)}
            if rows:
                await connection.execute(_COUNT, [app_id for app_id, _ in rows], [minute for _, minute in rows])
        closed += len(rows)
        if len(rows) < BATCH:
            return closed
