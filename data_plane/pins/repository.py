"""Pins of one app."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.channels.models import Channel
from data_plane.pins.models import Pin

# At most as many rows as a channel may have pinned, and what has expired since somebody pinned last.
_SHOWN = text("""
    select p.pinned_by, p.pinned_at, p.expires_at,
           m.id, m.channel_id, abs(m.seq) as seq, m.number, m.user_id, m.text, m.attachments, m.custom, m.silent,
           m.created_at, m.updated_at, m.deleted_at, m.thread_id,
           case when m.extra is not null
                then chat.shown_extra(m.app_id, m.id, m.extra, cast(:user as text)) end as shown
    from chat.pins p join chat.messages m on m.app_id = p.app_id and m.id = p.message_id
    where p.app_id = :app and p.channel_id = :channel and p.seq >= :first
        and (p.expires_at is null or p.expires_at > :at) and m.deleted_at is null
        and not exists (select from chat.hidden_messages h
                        where h.app_id = p.app_id and h.user_id = cast(:user as text) and h.message_id = p.message_id)
    order by p.pinned_at desc, p.seq desc
""")


class PinRepository:
    """Reads and writes pins. Writers hold the lock of the channel."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def shown(self, channel_id: str, user_id: str | None, *, first: int, at: datetime) -> Sequence[Any]:
        """What is pinned at a moment, of messages from the seq `first` on that the user has not hidden, the latest pin
        first, with the messages' columns. `shown` is what stands beside a message, as JSON text."""
        name = {"app": self._app_id, "channel": channel_id, "user": user_id, "first": first, "at": at}
        return (await self._session.execute(_SHOWN, name)).all()

    async def forget_ended(self, channel_id: str, at: datetime) -> None:
        """Delete what has expired by then, and what a truncation took away."""
        truncated_to = (
            select(Channel.truncated_to).where(Channel.app_id == self._app_id, Channel.id == channel_id)
        ).scalar_subquery()
        await self._session.execute(
            delete(Pin)
            .where(
                Pin.app_id == self._app_id,
                Pin.channel_id == channel_id,
                or_(Pin.expires_at <= at, Pin.seq < truncated_to),
            )
            .execution_options(synchronize_session=False)
        )

    async def find(self, channel_id: str, message_id: UUID) -> tuple[Any, int]:
        """A message's pin (`pinned_by, pinned_at, expires_at`) or null, and how many the channel has."""
        mine = Pin.app_id == self._app_id, Pin.channel_id == channel_id
        count = select(func.count()).select_from(Pin).where(*mine).scalar_subquery()
        row = (
            await self._session.execute(
                select(count.label("pinned"), Pin.message_id, Pin.pinned_by, Pin.pinned_at, Pin.expires_at)
                .select_from(select(1).subquery("one"))
                .outerjoin(Pin, (Pin.message_id == message_id) & mine[0] & mine[1])
            )
        ).one()
        return (row if row.message_id is not None else None), row.pinned

    async def put(
        self, channel_id: str, message_id: UUID, seq: int, *, by: str | None, at: datetime, until: datetime | None
    ) -> None:
        """Pin a message, or give its pin another end."""
        changed = {"pinned_by": by, "pinned_at": at, "expires_at": until}
        key = {"app_id": self._app_id, "channel_id": channel_id, "message_id": message_id}
        await self._session.execute(
            insert(Pin).values(**key, seq=seq, **changed).on_conflict_do_update(index_elements=list(key), set_=changed)
        )

    async def remove(self, channel_id: str, message_id: UUID, at: datetime) -> bool:
        """Delete a message's pin; false when there was none that had not expired."""
        found = await self._session.execute(
            delete(Pin)
            .where(Pin.app_id == self._app_id, Pin.channel_id == channel_id, Pin.message_id == message_id)
            .returning(Pin.expires_at)
            .execution_options(synchronize_session=False)
        )
        row = found.one_or_none()
        return row is not None and (row.expires_at is None or row.expires_at > at)
