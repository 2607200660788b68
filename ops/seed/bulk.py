"""Many messages in one transaction, each at a time of its own: what `chat.append_messages` does for those of now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from data_plane.identity.activity import subject_of
from data_plane.messages.schemas import content_hash
from kernel.clock import month_of
from kernel.contracts import AppSnapshot
from ops.seed.talk import Line

_LOCK: Final = "select chat.lock_logs(array_fill($1::uuid, array[cardinality($2::text[])]), $2)"
# Numbered from the heads as they are under the locks, so that somebody who writes there meanwhile does no harm.
_STORE: Final = """
    with incoming as materialized (
        select * from unnest($2::text[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[])
            with ordinality as x(channel_id, id, user_id, body, hash, at, ord)
    ), numbered as materialized (
        select i.*, h.last_seq + row_number() over w as seq, h.last_number + row_number() over w as number
        from incoming i join chat.log_heads h on h.app_id = $1 and h.log = 'c:' || i.channel_id
        window w as (partition by i.channel_id order by i.ord)
    ), stored as (
        insert into chat.messages (app_id, channel_id, seq, number, id, user_id, text, silent, created_at, updated_at,
                                   content_hash, xid)
        select $1, n.channel_id, n.seq, n.number, n.id, n.user_id, n.body, false, n.at, n.at, n.hash, chat.xid()
        from numbered n order by n.ord
    ), tops as materialized (
        select n.channel_id, max(n.seq) as seq, max(n.number) as number from numbered n group by 1
    ), heads as (
        update chat.log_heads h set last_seq = t.seq, last_number = t.number, last_xid = chat.xid()
        from tops t where h.app_id = $1 and h.log = 'c:' || t.channel_id
    ), positions as (
        update chat.members b set read_number = greatest(b.read_number, s.number)
        from (select n.channel_id, n.user_id, max(n.number) as number from numbered n group by 1, 2) s
        where b.app_id = $1 and b.channel_id = s.channel_id and b.user_id = s.user_id
    ), moved as (
        insert into chat.commits (xid, at, apps, logs, seqs)
        select chat.xid(), now(), array_agg($1), array_agg('c:' || t.channel_id), array_agg(t.seq) from tops t
    )
    select count(*) from numbered
"""
_COUNT: Final = """
    insert into chat.usage_outbox (app_id, meter, quantity, at)
    select $1, c.meter, c.quantity, x.at
    from unnest($2::bigint[], $3::bigint[], $4::timestamptz[]) x(messages, bytes, at)
    cross join lateral (values ('messages', x.messages), ('storage_bytes', x.bytes)) c(meter, quantity) order by x.at
"""
_ACTIVE: Final = """
    with fresh as (
        insert into chat.active_users (app_id, month, user_id, at)
        select $1, x.month, x.user_id, x.at
        from unnest($2::text[], $3::text[], $4::timestamptz[]) x(month, user_id, at) order by 3, 2
        on conflict do nothing returning month, user_id, at
    )
    insert into chat.usage_outbox (app_id, meter, quantity, at, subject)
    select $1, 'mau', 1, f.at, s.subject
    from fresh f join unnest($3::text[], $5::text[]) s(user_id, subject) on s.user_id = f.user_id
    group by f.month, f.user_id, f.at, s.subject order by f.at
"""


async def store(connection: Any, app: AppSnapshot, app_id: UUID, lines: Sequence[Line]) -> None:
    """Store messages of channels that exist, in this order, whole or not at all. `connection` is `natter_engine`'s.

    Logs, heads, read positions of the authors, commit row, usage and active users are as if each had been sent at its
    time. Usage has one row an hour, so that the ledger's hours are right.
    """
    rooms = sorted({line.room.id for line in lines})
    hours: dict[datetime, int] = {}
    sizes: dict[datetime, int] = {}
    actives: dict[tuple[str, str], datetime] = {}
    for line in lines:
        hour = line.at.replace(minute=0, second=0, microsecond=0)
        hours[hour] = hours.get(hour, 0) + 1
        sizes[hour] = sizes.get(hour, 0) + len(line.text.encode())
        actives.setdefault((month_of(line.at), line.author), line.at)
    async with connection.transaction():
        await connection.execute(_LOCK, app_id, [f"c:{room}" for room in rooms])
        stored = await connection.fetchval(
            _STORE,
            app_id,
            [line.room.id for line in lines],
            [line.id for line in lines],
            [line.author for line in lines],
            [line.text for line in lines],
            [content_hash(line.author, line.room.id, line.text, None, None, False) for line in lines],
            [line.at for line in lines],
        )
        if stored != len(lines):
            raise RuntimeError(f"{len(lines) - stored} messages have no channel any more")
        await connection.execute(_COUNT, app_id, list(hours.values()), list(sizes.values()), list(hours))
        await connection.execute(
            _ACTIVE,
            app_id,
            [month for month, _ in actives],
            [user for _, user in actives],
            list(actives.values()),
            [subject_of(app, user) for _, user in actives],
        )
