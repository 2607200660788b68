"""Threads of one app as their participants stand in them. Rows are made by the flush, see `chat.settle_extra`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Reads the user's own threads, by the key; what it sorts by stands with the message that the thread hangs on.
_OWN = text("""
    select t.thread_id, t.channel_id, t.read_number, m.id, m.seq, m.number, m.user_id, m.text, m.attachments, m.custom,
           m.silent, m.created_at, m.updated_at, m.deleted_at, m.extra,
           chat.shown_extra(m.app_id, m.id, m.extra, :user) as shown,
           case when t.hides
                then chat.hidden_replies_above(:app, t.thread_id, :user, t.read_number) end as hidden_numbers
    from chat.thread_members t
    join chat.messages m on m.app_id = t.app_id and m.id = t.thread_id
    join chat.members b on b.app_id = t.app_id and b.channel_id = t.channel_id and b.user_id = t.user_id
    join chat.channels c on c.app_id = t.app_id and c.id = t.channel_id and c.deleted_at is null
    where t.app_id = :app and t.user_id = :user
        and m.seq >= greatest(b.history_from, b.cleared_to, c.truncated_to)
        and (not m.extra ? 'hidden' or not chat.is_hidden(:app, m.id, :user))
        and (cast(:at as text) is null or (m.extra ->> 'last_reply_at', t.thread_id) < (:at, cast(:id as uuid)))
    order by m.extra ->> 'last_reply_at' desc, t.thread_id desc limit :limit
""")
_PLACE = text("""
    select t.read_number, t.channel_id, (m.extra ->> 'thread_last_number')::bigint as last_number,
           case when t.hides
                then chat.hidden_replies_above(:app, t.thread_id, :user, t.read_number) end as hidden_numbers
    from chat.thread_members t join chat.messages m on m.app_id = t.app_id and m.id = t.thread_id
    where t.app_id = :app and t.user_id = :user and t.thread_id = :thread
""")
_REPLY = text("""
    select (extra ->> 'reply_number')::bigint from chat.messages
    where app_id = :app and id = :reply and thread_id = :thread
""")
_MOVE = text("""
    update chat.thread_members set read_number = :number
    where app_id = :app and user_id = :user and thread_id = :thread and read_number < :number returning 1
""")


class ThreadRepository:
    """Reads places in threads, and moves them."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def page(self, user_id: str, *, after: tuple[str, UUID] | None, limit: int) -> Sequence[Any]:
        """The user's threads, the one with the latest reply first, from the one after `after` on."""
        at, thread = after or (None, None)
        name = {"app": self._app_id, "user": user_id, "at": at, "id": thread, "limit": limit}
        return (await self._session.execute(_OWN, name)).all()

    async def place(self, thread_id: UUID, user_id: str) -> Any:
        """`read_number, channel_id, last_number, hidden_numbers` of who takes part, else null."""
        name = {"app": self._app_id, "user": user_id, "thread": thread_id}
        return (await self._session.execute(_PLACE, name)).one_or_none()

    async def number_of(self, thread_id: UUID, reply_id: UUID) -> int | None:
        """A reply's number within its thread; null when it is none of it."""
        name = {"app": self._app_id, "reply": reply_id, "thread": thread_id}
        number: int | None = await self._session.scalar(_REPLY, name)
        return number

    async def move(self, thread_id: UUID, user_id: str, number: int) -> bool:
        """Move a place forward; false when it is there or further on."""
        name = {"app": self._app_id, "user": user_id, "thread": thread_id, "number": number}
        return await self._session.scalar(_MOVE, name) is not None
