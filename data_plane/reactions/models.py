"""The reactions' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.models import ChatModel


class Reaction(ChatModel):
    """A user's reaction to a message. How many there are is kept beside the message, see `Message.extra`."""

    __tablename__ = "reactions"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    message_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    emoji: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    """The entry of the channel's log that told it."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
