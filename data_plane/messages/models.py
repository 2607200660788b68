"""Messages as they are stored. A message's row is also the log entry of its creation, at (channel, seq)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.models import ChatModel


class Message(ChatModel):
    """A message. Inserted by the flush function alone; `number` counts the messages that count as unread."""

    __tablename__ = "messages"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    channel_id: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    id: Mapped[UUID] = mapped_column(Uuid)
    user_id: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    attachments: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    custom: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    silent: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    thread_id: Mapped[UUID | None] = mapped_column(Uuid)
    """The message that this one answers; what is in the thread alone has its `seq` below zero."""
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What others added to it, see `views.extra_view`; null for a plain message."""


class FormerContent(ChatModel):
    """What a message held before an edit. `seq` is the entry of the channel's log that told the edit."""

    __tablename__ = "message_edits"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    message_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    attachments: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    custom: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    edited_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    edited_by: Mapped[str | None] = mapped_column(Text)
