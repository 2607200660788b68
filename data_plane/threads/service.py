"""Read a thread's replies, list one's threads, mark one read."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from data_plane.identity.caller import Caller, Reader, own_id
from data_plane.log import user_log
from data_plane.log.writer import NewEntry
from data_plane.messages.access import visible_message
from data_plane.messages.errors import no_message
from data_plane.messages.history import Window, page_body
from data_plane.messages.repository import message_of
from data_plane.messages.views import message_view, thread_view
from data_plane.paging import decode_cursor, page_of
from data_plane.shard import Shard
from data_plane.threads.repository import ThreadRepository
from data_plane.threads.views import OwnThread, ThreadPage, ThreadPosition
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput
from kernel.ids import format_id, parse_id

_LIST: Final = "threads"
_SQL: Final = "select * from chat.thread_page($1, $2, $3, $4, $5, $6, $7, $8)"


class Threads:
    """The use cases. `mark_read` must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def replies(self, uow: UnitOfWork, reader: Reader, message_id: str, window: Window, limit: int) -> bytes:
        """A page of the replies to a message as JSON, oldest first, as `read_history` makes one. Raises `NotFound`."""
        found, _ = await visible_message(self._shard, uow, reader, message_id)
        asked = (window.seq, window.message, window.shift, window.older, window.newer)
        pool = await self._shard.system.pool()
        rows = await pool.fetch(_SQL, reader.app_id, found.row.id, *asked, own_id(reader))
        if not rows:
            raise no_message()
        return page_body(rows, window, limit, found.row.channel_id)

    async def page(self, uow: UnitOfWork, user_id: str, app_id: UUID, *, limit: int, cursor: str | None) -> ThreadPage:
        """The threads that the user takes part in, in channels that it is in, the one with the latest reply first."""
        after = _place(decode_cursor(_LIST, cursor))
        rows = await ThreadRepository(uow.session, app_id).page(user_id, after=after, limit=limit + 1)
        views, following = page_of(
            rows, limit, kind=_LIST, key=lambda row: f"{row.extra['last_reply_at']}/{row.thread_id}", view=_own_thread
        )
        return {"threads": views, "next_cursor": following}

    async def mark_read(
        self,
        uow: UnitOfWork,
        caller: Caller,
        message_id: str,
        *,
        reply_id: str | None = None,
        user_id: str | None = None,
    ) -> ThreadPosition:
        """Everything up to a reply, or to the end, is read. The position never goes back; the user's own log hears of
        it when it moved.

        Raises `NotFound` for a message that the caller does not see, and a thread that the user takes no part in.
        """
        reader = caller.acting_as(user_id)
        reply = parse_id("msg", reply_id, field="reply_id") if reply_id is not None else None
        await self._shard.logs.lock(uow, caller.app_id, [user_log(reader)])
        found, _ = await visible_message(self._shard, uow, caller, message_id)
        thread_id = found.row.id
        threads = ThreadRepository(uow.session, caller.app_id)
        place = await threads.place(thread_id, reader)
        number = place.last_number if place is not None else None
        if reply is not None:
            number = await threads.number_of(thread_id, reply)
        if place is None or number is None:
            raise no_message()
        moved = await threads.move(thread_id, reader, number)
        read = max(number, place.read_number)
        position = _position(thread_id, place.channel_id, read, place.last_number, place.hidden_numbers)
        if moved:
            entry = NewEntry(log=user_log(reader), type="thread.changed", actor=reader, data=position)
            await self._shard.logs.append(uow, caller.app_id, [entry], at=truncate_ms(self._shard.clock.now()))
        return position


def _position(thread_id: UUID, channel_id: str, read: int, last: int, hidden: Sequence[int] | None) -> ThreadPosition:
    return {
        "thread_id": format_id("msg", thread_id),
        "channel_id": channel_id,
        "read_number": read,
        "last_number": last,
        "unread": max(0, last - read - sum(number > read for number in hidden or ())),
    }


def _own_thread(row: Any) -> OwnThread:
    thread = thread_view({**row.extra, "id": str(row.thread_id), "seq": abs(row.seq), "user_id": row.user_id})
    hidden = row.hidden_numbers or []
    view: OwnThread = {
        "channel_id": row.channel_id,
        "message": message_view(message_of(row, extra=orjson.loads(row.shown))),
        "thread": thread,
        "read_number": row.read_number,
        "unread": max(0, thread["last_number"] - row.read_number - len(hidden)),
    }
    if hidden:
        view["hidden_numbers"] = hidden
    return view


def _place(key: str | None) -> tuple[str, UUID] | None:
    if key is None:
        return None
    at, _, thread = key.partition("/")
    try:
        return at, UUID(thread)
    except ValueError:
        raise InvalidInput("`cursor` must be the `next_cursor` of this list's page before.", field="cursor") from None
