"""Memberships as they are stored."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Double, Text, Uuid, case, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.models import ChatModel


class Member(ChatModel):
    """A user's membership of a channel.

    `joined_seq` is the first entry of the channel's log that the member receives, `read_number` the number of the last
    message that the member has read. It sees messages from the entry `history_from` on, and from `cleared_to` on by its
    own wish. The channel is hidden for as
    long as no message has a number above `hidden_number`, muted until `muted_until`, or for good where that is null;
    pinned ones come in the order of `pin_order`.
    """

    __tablename__ = "members"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    channel_id: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    role: Mapped[str] = mapped_column(Text)
    joined_seq: Mapped[int] = mapped_column(BigInteger)
    joined_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    read_number: Mapped[int] = mapped_column(BigInteger)
    history_from: Mapped[int] = mapped_column(BigInteger)
    cleared_to: Mapped[int] = mapped_column(BigInteger)
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB)
    archived_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    hidden_number: Mapped[int | None] = mapped_column(BigInteger)
    muted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    muted_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    pin_order: Mapped[float | None] = mapped_column(Double)
    hides: Mapped[bool] = mapped_column(Boolean)
    """Whether it may hide messages of the channel for itself."""


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """One membership, read."""

    user_id: str
    role: str
    joined_seq: int
    joined_at: datetime
    read_number: int
    history_from: int = 0
    cleared_to: int = 0
    custom: dict[str, Any] = msgspec.field(default_factory=dict)
    archived_at: datetime | None = None
    hidden_number: int | None = None
    muted_at: datetime | None = None
    muted_until: datetime | None = None
    pin_order: float | None = None
    hidden_numbers: list[int] | None = None
    """Of messages above `read_number` that it hides for itself; null when it hides none."""

    @property
    def first_seq(self) -> int:
        """Of the channel's log, from which on it sees messages."""
        return max(self.history_from, self.cleared_to)


MEMBER_COLUMNS = (
    Member.user_id,
    Member.role,
    Member.joined_seq,
    Member.joined_at,
    Member.read_number,
    Member.history_from,
    Member.cleared_to,
    Member.custom.label("member_custom"),
    Member.archived_at,
    Member.hidden_number,
    Member.muted_at,
    Member.muted_until,
    Member.pin_order,
    case(
        (
            Member.hides,
            func.chat.hidden_above(
                Member.app_id, Member.channel_id, Member.user_id, Member.read_number, type_=ARRAY(BigInteger)
            ),
        )
    ).label("hidden_numbers"),
)
"""What `member_of` reads of a row, beside columns of a channel too."""


def member_of(row: Any) -> MemberRow:
    """The membership in a row with `MEMBER_COLUMNS`, or with columns of the same names."""
    return MemberRow(
        user_id=row.user_id,
        role=row.role,
        joined_seq=row.joined_seq,
        joined_at=row.joined_at,
        read_number=row.read_number,
        history_from=row.history_from,
        cleared_to=row.cleared_to,
        custom=row.member_custom,
        archived_at=row.archived_at,
        hidden_number=row.hidden_number,
        muted_at=row.muted_at,
        muted_until=row.muted_until,
        pin_order=row.pin_order,
        hidden_numbers=row.hidden_numbers,
    )
