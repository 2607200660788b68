"""What changes of messages have in common: the row, the entry that tells of it, the answer."""

from datetime import datetime
from typing import Any

import msgspec

from data_plane.identity.caller import Caller, Reader, own_id
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.messages.repository import MessageRepository
from data_plane.messages.views import MessageRow, MessageView, message_data, message_view
from data_plane.reactions.repository import ReactionRepository
from data_plane.shard import Shard
from kernel.db import UnitOfWork


class MessageWriter:
    """Within one transaction, which holds the lock of the message's channel."""

    def __init__(self, shard: Shard, uow: UnitOfWork, caller: Caller) -> None:
        self._shard = shard
        self._uow = uow
        self._caller = caller

    async def write(
        self, row: MessageRow, type: str, values: dict[str, Any], *, actor: str | None, at: datetime
    ) -> tuple[MessageView, int]:
        """Change the row and tell of it; the message as the caller sees it then, and the entry's seq."""
        return await self.tell(await self._messages.change(row, values), type, actor=actor, at=at)

    async def tell(
        self, row: MessageRow, type: str, *, actor: str | None, at: datetime, replies: int = 0
    ) -> tuple[MessageView, int]:
        """Tell of a message that was changed. `replies`: by how much its thread counts more."""
        if replies:
            row = await self._count_replies(row, replies)
        data = message_data(row)
        entry = NewEntry(log=channel_log(row.channel_id), type=type, actor=actor, message_id=row.id, data=data)
        (seq,) = await self._shard.logs.append(self._uow, self._caller.app_id, [entry], at=at)
        return await self.shown(row), seq

    async def shown(self, row: MessageRow) -> MessageView:
        """The message as the caller sees it."""
        return await shown_to(self._uow, self._caller, row)

    async def _count_replies(self, row: MessageRow, step: int) -> MessageRow:
        """Let a thread count a reply that goes or comes back; the row knows its thread as it is then."""
        thread = (row.beside or {}).get("thread")
        if row.thread_id is None or thread is None:
            return row
        count = thread.get("reply_count", 0) + step
        await self._messages.set_reply_count(row.thread_id, count)
        return msgspec.structs.replace(row, beside={**(row.beside or {}), "thread": {**thread, "reply_count": count}})

    @property
    def _messages(self) -> MessageRepository:
        return MessageRepository(self._uow.session, self._caller.app_id)


async def shown_to(uow: UnitOfWork, reader: Reader, row: MessageRow) -> MessageView:
    """A message as the reader sees it."""
    own, user_id = None, own_id(reader)
    if user_id is not None and row.extra is not None and "reactions" in row.extra:
        own = await ReactionRepository(uow.session, reader.app_id).own(row.id, user_id)
    return message_view(row, own_reactions=own)
