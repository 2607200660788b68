"""Store a message within a transaction that does more, by the flush's own function."""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text

from data_plane.log.entries import Entry
from data_plane.messages.flush import NewMessage, Verdict
from data_plane.messages.send import created_entry
from data_plane.shard import Shard
from kernel.clock import month_of
from kernel.db import UnitOfWork

_APPEND: Final = text(
    "select verdict, seq, number, created_at, extra from chat.append_messages("
    "cast(:apps as uuid[]), cast(:channels as text[]), cast(:ids as uuid[]), cast(:users as text[]), "
    "cast(:texts as text[]), cast(:attachments as text[]), cast(:custom as text[]), cast(:silent as boolean[]), "
    "cast(:hashes as bytea[]), cast(:server as boolean[]), cast(:active as boolean[]), cast(:subjects as text[]), "
    "cast(:month as text), cast(:at as timestamptz), null, null, cast(:extras as text[]))"
)


async def store_within(shard: Shard, uow: UnitOfWork, message: NewMessage, at: datetime) -> Verdict:
    """What the flush says of a message of the server, `created` when it is stored; told after the commit.

    Locks the channel's log, so it is the transaction's first lock and comes before its first write, as
    `shard.logs.lock`; `uow` must be one of `shard.system`.
    """
    found = await uow.session.execute(
        _APPEND,
        {
            "apps": [message.app_id], "channels": [message.channel_id], "ids": [message.id],
            "users": [message.user_id], "texts": [message.text], "attachments": [message.attachments],
            "custom": [message.custom], "silent": [message.silent], "hashes": [message.content_hash],
            "server": [message.by_server], "active": [message.count_active], "subjects": [message.subject],
            "month": month_of(at), "at": at, "extras": [message.extra],
        },
    )  # fmt: skip
    first, *beside = found.all()
    verdict = Verdict(first.verdict, first.seq or 0, first.number or 0, first.created_at)
    if verdict.verdict == "created":
        verdict.extra = msgspec.json.decode(beside[0].extra) if beside else None
        entry: Entry = created_entry(message, verdict, shard.logs.epoch)
        shard.logs.tell(uow, [entry])
    return verdict
