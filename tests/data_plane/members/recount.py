"""The checker of kept numbers: every head's `member_count` against a count of the memberships themselves."""

from typing import Any
from uuid import UUID


async def miscounted(connection: Any, app_id: UUID) -> list[str]:
    """The channel logs of the app whose head says another number than there are members."""
    rows = await connection.fetch(
        """
        select coalesce(h.log, 'c:' || b.channel_id) as log
        from (select app_id, log, member_count from chat.log_heads
              where app_id = $1 and left(log, 2) = 'c:') h
        full join (select app_id, channel_id, count(*) as members from chat.members
                   where app_id = $1 group by 1, 2) b
            on b.app_id = h.app_id and h.log = 'c:' || b.channel_id
        where h.member_count is distinct from coalesce(b.members, 0)
        order by 1
        """,
        app_id,
    )
    return [row["log"] for row in rows]
