"""The mails' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base


class Mail(Base):
    """A letter; `sealed` holds all of it."""

    __tablename__ = "mails"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime]
