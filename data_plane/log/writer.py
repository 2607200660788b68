"""Append entries inside a unit of work: lock the logs, decide, write, append; the bus hears of it after the commit."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson
from sqlalchemy import text

from data_plane.log.entries import CHANNEL, Entry, make_entry
from kernel.db import UnitOfWork

_LOCK = text("select chat.lock_logs(cast(:apps as uuid[]), cast(:logs as text[]))")
_APPEND = text(
    "select chat.append_events(cast(:app as uuid), cast(:logs as text[]), cast(:types as text[]), "
    "cast(:actors as text[]), cast(:messages as uuid[]), cast(:data as text[]), :at)"
)


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What to append. `data` is what clients get; with `message_id` it is not stored but rendered from the message."""

    log: str
    type: str
    data: Any
    actor: str | None = None
    message_id: UUID | None = None


class LogWriter:
    """Appends to the logs of any app of one shard. `publish` receives finished entries once they are durable."""

    def __init__(self, epoch: str, publish: Callable[[Sequence[Entry]], None]) -> None:
        self._epoch = epoch
        self._publish = publish

    async def lock(self, uow: UnitOfWork, app_id: UUID, logs: Iterable[str]) -> None:
        """Serialise with every other writer of these logs until the transaction ends.

        Must be the transaction's first act and happen once, with all the logs it will append to: what is read after
        it is current, and nothing written before it could fall behind a cursor.
        """
        names = sorted(set(logs))
        await uow.session.execute(_LOCK, {"apps": [app_id] * len(names), "logs": names})

    async def append(self, uow: UnitOfWork, app_id: UUID, entries: Sequence[NewEntry], *, at: datetime) -> list[int]:
        """Write the entries and return their seqs, in order. Entries of one log follow in argument order.

        Data that speaks of a position (`from_seq` of a `membership.added`) takes it from `heads` beforehand: under
        the lock, the next entry of a log has the head's seq plus one.
        """
        stored = [None if e.message_id is not None else orjson.dumps(e.data).decode() for e in entries]
        result = await uow.session.execute(
            _APPEND,
            {
                "app": app_id,
                "logs": [e.log for e in entries],
                "types": [e.type for e in entries],
                "actors": [e.actor for e in entries],
                "messages": [e.message_id for e in entries],
                "data": stored,
                "at": at,
            },
        )
        seqs: list[int] = result.scalar_one()
        finished = [
            make_entry(
                app_id=app_id,
                log=entry.log,
                seq=seq,
                epoch=self._epoch,
                type=entry.type,
                at=at,
                actor=entry.actor,
                data=entry.data,
            )
            for entry, seq in zip(entries, seqs, strict=True)
        ]
        # Users' own logs first: a new member's connections join the channel before its entries pass.
        finished.sort(key=lambda entry: entry.log.startswith(CHANNEL))
        uow.after_commit(lambda: self._publish(finished))
        return seqs

    @property
    def epoch(self) -> str:
        """The life of the shard's logs."""
        return self._epoch

    def tell(self, uow: UnitOfWork, entries: Sequence[Entry]) -> None:
        """Let entries that are in no log pass by once the transaction is durable."""
        uow.after_commit(lambda: self._publish(entries))

    async def heads(self, uow: UnitOfWork, app_id: UUID, logs: Sequence[str]) -> dict[str, tuple[int, int]]:
        """`{log: (last seq, last message number)}`; logs without entries are `(0, 0)`. Stable while locked."""
        rows = await uow.session.execute(
            text(
                "select log, last_seq, last_number from chat.log_heads "
                "where app_id = cast(:app as uuid) and log = any(cast(:logs as text[]))"
            ),
            {"app": app_id, "logs": list(logs)},
        )
        found = {row.log: (row.last_seq, row.last_number) for row in rows}
        return {log: found.get(log, (0, 0)) for log in logs}
