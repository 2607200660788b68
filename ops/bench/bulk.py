"""Years of chat in minutes: channels with members, their logs and messages, written straight into a shard's tables.

What is written is what the product would have written: gap-free logs, heads, numbers, counts. Transaction ids are
spread over those that the database has used already, so that to everybody it lies in the past.
"""

import asyncio
from typing import Any, Final
from uuid import UUID

import asyncpg

CHUNK: Final = 1_000_000
"""Messages in one transaction."""
BEFORE_MESSAGES: Final = 3
"""Entries of a channel's log before its first message: the channel, and its two members."""
ENTRIES_A_CHANNEL: Final = BEFORE_MESSAGES + 1
"""Entries that are no messages, the one in the reader's own log included."""

_TABLES: Final = ("chat.channels", "chat.members", "chat.log_heads", "chat.events", "chat.messages")
_INDEXES: Final = (
    (
        "alter table chat.messages drop constraint messages_pkey",
        "alter table chat.messages add primary key (app_id, channel_id, seq)",
    ),
    ("drop index chat.messages_by_id", "create unique index messages_by_id on chat.messages (app_id, id)"),
)

_CHANNELS: Final = """
    insert into chat.channels (app_id, id, type, name, custom, created_by, created_at, updated_at)
    select $1::uuid, $2::text || c, 'group', 'Channel ' || c, '{"topic": "history"}', $4::text,
           now() - interval '1 year', now() - interval '1 year'
    from generate_series(0, $3::int - 1) c
"""
_MEMBERS: Final = """
    insert into chat.members (app_id, channel_id, user_id, role, joined_seq, joined_at, read_number)
    select $1::uuid, $2::text || c, u.id, u.role, 1, now() - interval '1 year', $6::bigint
    from generate_series(0, $3::int - 1) c, (values ($4::text, 'owner'), ($5::text, 'member')) u(id, role)
"""
_EVENTS: Final = """
    insert into chat.events (app_id, log, seq, type, at, actor, data, xid)
    select $1::uuid, 'c:' || $2::text || c, e.seq, e.type, now() - interval '1 year', $4::text,
           case when e.seq = 1 then jsonb_build_object('channel', jsonb_build_object('id', $2::text || c))
                else jsonb_build_object('user_id', e.who) end, 3
    from generate_series(0, $3::int - 1) c,
         (values (1, 'channel.created', null::text), (2, 'member.added', $4::text), (3, 'member.added', $5::text))
         e(seq, type, who)
    union all
    select $1::uuid, 'u:' || $4::text, c + 1 + $6::bigint, 'membership.added', now() - interval '1 year', $4::text,
           jsonb_build_object('channel', jsonb_build_object('id', $2::text || c), 'from_seq', 1), 3
    from generate_series(0, $3::int - 1) c
"""
_HEADS: Final = """
    insert into chat.log_heads (app_id, log, last_seq, last_number, last_xid)
    select $1::uuid, 'c:' || $2::text || c, $5::bigint + 3, $5::bigint, $6::bigint
    from generate_series(0, $3::int - 1) c
    union all
    select $1::uuid, 'u:' || $4::text, $3::int, 0, 3
    on conflict (app_id, log) do update
        set last_seq = log_heads.last_seq + excluded.last_seq, last_xid = excluded.last_xid
"""
# Round by round over the channels, as people write, so that a channel's messages lie far apart on disk.
_MESSAGES: Final = """
    insert into chat.messages (app_id, channel_id, seq, number, id, user_id, text, created_at, updated_at, content_hash,
                               xid)
    select $1::uuid, $2::text || c, n + 3, n,
           (lpad(to_hex(1735689600000 + n * 1000), 12, '0') || '7' || lpad(to_hex(c % 4096), 3, '0') || '8'
            || lpad(to_hex(c / 4096), 7, '0') || left(md5($2::text), 8))::uuid,
           $4::text, 'a message of about sixty characters, as people type them ' || n,
           to_timestamp(1735689600 + n), to_timestamp(1735689600 + n), decode('00', 'hex'),
           3 + n * $7::bigint / $8::bigint
    from generate_series($5::bigint, $6::bigint) n, generate_series(0, $3::int - 1) c
"""

_CROWD: Final = """
    with names as materialized (
        select $3::text || n as id, n from generate_series(0, $4::int - 1) n
    ), head as materialized (
        select h.last_seq, h.last_number from chat.log_heads h where h.app_id = $1 and h.log = 'c:' || $2::text
    ), users as (
        insert into chat.users (app_id, id, created_at, updated_at) select $1::uuid, n.id, now(), now() from names n
        on conflict do nothing
    ), members as (
        insert into chat.members (app_id, channel_id, user_id, role, joined_seq, joined_at, read_number)
        select $1, $2, n.id, 'member', h.last_seq + n.n + 1, now(), h.last_number from names n, head h order by n.id
    ), told as (
        insert into chat.events (app_id, log, seq, type, at, data, xid)
        select $1, 'c:' || $2, h.last_seq + n.n + 1, 'member.added', now(),
               jsonb_build_object('user_id', n.id, 'role', 'member', 'custom', '{}'::jsonb,
                   'joined_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')), chat.xid()
        from names n, head h
        union all
        select $1, 'u:' || n.id, coalesce(u.last_seq, 0) + 1, 'membership.added', now(), jsonb_build_object(
                   'channel', jsonb_build_object('id', $2), 'from_seq', h.last_seq + n.n + 1), chat.xid()
        from names n cross join head h left join chat.log_heads u on u.app_id = $1 and u.log = 'u:' || n.id
    )
    insert into chat.log_heads as h (app_id, log, last_seq, last_xid)
        select $1, 'u:' || n.id, 1, chat.xid() from names n order by n.id
        on conflict (app_id, log) do update set last_seq = h.last_seq + 1, last_xid = excluded.last_xid
"""
# In a statement of its own: the trigger that counts members moves the same row.
_CROWD_HEAD: Final = """
    update chat.log_heads set last_seq = last_seq + $3::int, last_xid = chat.xid()
    where app_id = $1 and log = 'c:' || $2::text
"""


async def load_history(
    database_url: str, app_id: UUID, *, prefix: str, channels: int, messages: int, reader: str, author: str
) -> int:
    """Make `channels` channels, named by `prefix` and a number from 0, of `reader` (its owner) and `author`, who wrote
    `messages` messages into each. Both users exist. Returns how many log entries there are now for these channels."""
    connection = await asyncpg.connect(database_url, command_timeout=1200)
    try:
        await connection.execute("set synchronous_commit = off; set maintenance_work_mem = '512MB'")
        if channels * messages > CHUNK:
            await connection.execute("alter system set max_wal_size = '8GB'")
            await connection.execute("select pg_reload_conf()")
        now: int = await connection.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        before = await connection.fetchval(
            "select coalesce(max(last_seq), 0) from chat.log_heads where app_id = $1 and log = 'u:' || $2",
            app_id, reader,
        )  # fmt: skip
        await connection.execute(_CHANNELS, app_id, prefix, channels, reader)
        await connection.execute(_HEADS, app_id, prefix, channels, reader, messages, now - 1)
        await connection.execute(_MEMBERS, app_id, prefix, channels, reader, author, messages)
        await connection.execute(_EVENTS, app_id, prefix, channels, reader, author, before)
        await _load_messages(connection, app_id, prefix, channels, author, messages, now - 4)
        # Not the whole database, whose catalogue others may be busy with.
        await connection.execute(f"vacuum analyze {', '.join(_TABLES)}")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
    return channels * (messages + ENTRIES_A_CHANNEL)


async def _load_messages(
    connection: Any, app_id: UUID, prefix: str, channels: int, author: str, messages: int, last_xid: int
) -> None:
    many = channels * messages > CHUNK
    if many:  # building an index once is quicker than feeding it
        for drop, _ in _INDEXES:
            await connection.execute(drop)
    step = max(1, CHUNK // channels)
    for first in range(1, messages + 1, step):
        last = min(messages, first + step - 1)
        await connection.execute(_MESSAGES, app_id, prefix, channels, author, first, last, last_xid, messages)
        await asyncio.sleep(0)
    if many:
        for _, make in _INDEXES:
            await connection.execute(make)


async def load_members(database_url: str, app_id: UUID, *, channel: str, prefix: str, count: int) -> None:
    """Let `count` users more, named by `prefix` and a number from 0, be members of a channel that is there and that
    nobody hears or writes meanwhile. Those who are no users yet are made."""
    connection = await asyncpg.connect(database_url, command_timeout=1200)
    try:
        await connection.execute("set synchronous_commit = off")
        async with connection.transaction():
            await connection.execute(_CROWD, app_id, channel, prefix, count)
            await connection.execute(_CROWD_HEAD, app_id, channel, count)
        await connection.execute("vacuum analyze chat.users, chat.members, chat.log_heads, chat.events")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
