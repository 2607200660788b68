"""Memberships as they are stored."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, DateTime, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.models import ChatModel


class Member(ChatModel):
    """A user's membership of a channel.

    `joined_seq` is the first entry of the channel's log that the member receives, `read_number` the number of the last
    message that the member has read.
    """

    __tablename__ = "members"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    channel_id: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    role: Mapped[str] = mapped_column(Text)
    joined_seq: Mapped[int] = mapped_column(BigInteger)
    joined_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    read_number: Mapped[int] = mapped_column(BigInteger)


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """One membership, read."""

    user_id: str
    role: str
    joined_seq: int
    joined_at: datetime
    read_number: int
