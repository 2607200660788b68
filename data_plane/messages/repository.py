"""Single messages of one app. Sends and history take the hot path, see `send.py` and `history.py`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson
from sqlalchemy import and_, case, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.channels.models import Channel
from data_plane.members.models import Member
from data_plane.messages.models import Message
from data_plane.messages.views import MessageRow

_BLOCKED = text(
    "select 1 from chat.blocks k join chat.members o on o.app_id = k.app_id and o.user_id = k.user_id "
    "where k.app_id = :app and k.blocked_id = :user and k.removed_at is null and o.channel_id = :channel limit 1"
)

_REPLIES = text(
    "update chat.messages "
    "set extra = coalesce(extra, '{}') || jsonb_build_object('reply_count', cast(:count as bigint)) "
    "where app_id = :app and id = :id"
)
_PURGE = text("select chat.purge_message(:app, :id, :at)")
_HIDE = text("select chat.hide_message(:app, :id, :user, :at)")
_BESIDE = case(
    (
        Message.extra.is_not(None),
        func.chat.entry_extra(Message.app_id, Message.id, Message.extra, Message.thread_id),
    )
)


class FoundMessage(msgspec.Struct, frozen=True):
    """A message with what decides who may touch it. `role` is that of the user it was read for in its channel, null
    when that is no member; `type`, `grants` and `frozen` are the channel's."""

    row: MessageRow
    role: str | None
    type: str
    grants: Mapping[str, list[str]]
    frozen: bool
    history: str
    hidden: bool
    """By the user for itself."""
    first_seq: int
    """Messages with a lesser seq are hidden from that user; from everybody when it is no member."""


class MessageRepository:
    """Reads and changes messages within one app. Plain rows, never cached: what is read is current."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def find(self, message_id: UUID, user_id: str | None) -> FoundMessage | None:
        """A message of a channel that is not deleted."""
        query = (
            select(
                Message.id,
                Message.channel_id,
                Message.seq,
                Message.number,
                Message.user_id,
                Message.text,
                Message.attachments,
                Message.custom,
                Message.silent,
                Message.created_at,
                Message.updated_at,
                Message.deleted_at,
                Message.thread_id,
                Message.extra,
                _BESIDE.label("beside"),
                Channel.frozen,
                Channel.type,
                Channel.grants,
                Channel.history,
                func.greatest(Channel.truncated_to, Member.history_from, Member.cleared_to).label("first_seq"),
                Member.role,
                case(
                    (Message.extra.has_key("hidden"), func.chat.is_hidden(self._app_id, Message.id, user_id)),
                    else_=False,
                ).label("hidden"),
            )
            .join(Channel, and_(Channel.app_id == self._app_id, Channel.id == Message.channel_id))
            .outerjoin(
                Member,
                and_(
                    Member.app_id == self._app_id,
                    Member.channel_id == Message.channel_id,
                    Member.user_id == user_id,
                ),
            )
            .where(Message.app_id == self._app_id, Message.id == message_id, Channel.deleted_at.is_(None))
        )
        row = (await self._session.execute(query)).one_or_none()
        if row is None:
            return None
        return FoundMessage(
            _message(row), row.role, row.type, row.grants or {}, row.frozen, row.history, row.hidden, row.first_seq
        )

    async def hide(self, message_id: UUID, user_id: str, at: datetime) -> None:
        """Hide a message from a member of its channel; the locks of both logs are held."""
        await self._session.execute(_HIDE, {"app": self._app_id, "id": message_id, "user": user_id, "at": at})

    async def number_of(self, channel_id: str, message_id: UUID, first_seq: int) -> int | None:
        """The number of a channel's message; null when the message is not in that channel, or older than that seq."""
        query = select(Message.number).where(
            Message.app_id == self._app_id,
            Message.id == message_id,
            Message.channel_id == channel_id,
            Message.seq >= first_seq,
        )
        number: int | None = await self._session.scalar(query)
        return number

    async def is_blocked_in(self, channel_id: str, user_id: str) -> bool:
        """Whether a member of the channel has blocked the user."""
        name = {"app": self._app_id, "channel": channel_id, "user": user_id}
        return await self._session.scalar(_BLOCKED, name) is not None

    async def set_reply_count(self, thread_id: UUID, count: int) -> None:
        """How many replies a message has."""
        name = {"app": self._app_id, "id": thread_id, "count": count}
        await self._session.execute(_REPLIES, name)

    async def purge(self, row: MessageRow, at: datetime) -> MessageRow:
        """Let nothing of a message be left but its place, its number and its thread; as it is then."""
        extra = await self._session.scalar(_PURGE, {"app": self._app_id, "id": row.id, "at": at})
        deleted_at = row.deleted_at or at
        return msgspec.structs.replace(row, text="", attachments=[], custom={}, extra=extra, deleted_at=deleted_at)

    async def change(self, row: MessageRow, values: Mapping[str, Any]) -> MessageRow:
        """Set columns of a message and return it as it is then."""
        await self._session.execute(
            update(Message)
            .where(Message.app_id == self._app_id, Message.id == row.id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        return msgspec.structs.replace(row, **values)


def _beside(shown: str | None) -> dict[str, Any] | None:
    """What is shown with a message and is kept elsewhere."""
    if shown is None:
        return None
    return {name: value for name, value in orjson.loads(shown).items() if name in ("quoted", "thread")}


def _message(row: Any) -> MessageRow:
    return message_of(
        row, thread_id=row.thread_id, extra=row.extra, beside=_beside(row.beside), seen_from=row.first_seq
    )


def message_of(row: Any, **more: Any) -> MessageRow:
    """From a row with a message's columns. `more` are those that depend on who looks, and `thread_id`."""
    return MessageRow(
        id=row.id,
        channel_id=row.channel_id,
        seq=abs(row.seq),
        number=row.number,
        user_id=row.user_id,
        text=row.text,
        attachments=row.attachments or [],
        custom=row.custom or {},
        silent=row.silent,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        **more,
    )
