"""The pins' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.models import ChatModel


class Pin(ChatModel):
    """A message that its channel has pinned. One that has expired counts as gone, whether the row is there or not."""

    __tablename__ = "pins"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    channel_id: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    """The message's, above zero for replies too."""
    pinned_by: Mapped[str | None] = mapped_column(Text)
    pinned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
