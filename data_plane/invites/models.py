"""Invites as they are stored."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.models import ChatModel

PENDING: Final = "pending"
ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"
REVOKED: Final = "revoked"


class Invite(ChatModel):
    """`user_id` was asked into a channel; the newest time it was."""

    __tablename__ = "invites"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    channel_id: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    invited_by: Mapped[str | None] = mapped_column(Text)
    history_from: Mapped[int | None] = mapped_column(BigInteger)
    """The first seq that it will see of what was said before it accepts; null for none of it."""
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
