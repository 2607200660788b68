"""Channels as they are stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Boolean, DateTime, Integer, LargeBinary, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.members.models import MemberRow
from data_plane.models import ChatModel

ALL: Final = "all"
JOINED: Final = "joined"


class Channel(ChatModel):
    """A channel. A deleted one keeps its row, so that its id stays taken."""

    __tablename__ = "channels"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    image: Mapped[str | None] = mapped_column(Text)
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_by: Mapped[str | None] = mapped_column(Text)
    frozen: Mapped[bool] = mapped_column(Boolean)
    grants: Mapped[dict[str, list[str]] | None] = mapped_column(JSONB(none_as_null=True))
    """What roles may do here otherwise than in the type."""
    history: Mapped[str] = mapped_column(Text)
    """`all`, or `joined`: who becomes a member sees nothing of what was said before."""
    truncated_to: Mapped[int] = mapped_column(BigInteger)
    """The first seq of the log of which anybody sees a message."""
    slow_mode: Mapped[int] = mapped_column(Integer)
    members_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Of type and members, where there is no second channel of these; see `distinct.py`."""
    truncated_number: Mapped[int] = mapped_column(BigInteger)
    """The number of the newest message that is gone with `truncated_to`."""
    """Seconds between two messages of one member."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class LogHead(ChatModel):
    """Where a log stands. Written by the log's functions alone."""

    __tablename__ = "log_heads"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    log: Mapped[str] = mapped_column(Text, primary_key=True)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    last_number: Mapped[int] = mapped_column(BigInteger)
    member_count: Mapped[int] = mapped_column(Integer)
    """Of a channel's log. Kept by a trigger on the memberships."""


class LogEvent(ChatModel):
    """An entry of a log that is not a message's creation. Written by the log's functions alone."""

    __tablename__ = "events"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    log: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One channel, read."""

    id: str
    type: str
    name: str | None
    image: str | None
    custom: dict[str, Any]
    created_by: str | None
    frozen: bool
    grants: Mapping[str, list[str]]
    created_at: datetime
    updated_at: datetime
    history: str = ALL
    truncated_to: int = 0
    slow_mode: int = 0
    distinct: bool = False
    truncated_number: int = 0


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """A channel with its log's head, how many members it has, and the membership of the user it was read for, null when
    there is none."""

    channel: ChannelRow
    last_seq: int
    last_number: int
    member_count: int
    member: MemberRow | None = None
