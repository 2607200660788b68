"""The mails' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base


class Mail(Base):
    """A letter; `sealed` holds all of it, the rest is what became of it.

    `state`: `waiting` for a try at `due_at`, `sent` (a mail server answers for it), `kept` (no server was configured),
    or `failed` (it will not be tried again).
    """

    __tablename__ = "mails"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer())
    due_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    reply_code: Mapped[int | None] = mapped_column(Integer())
    reply: Mapped[str | None]
    retried_at: Mapped[datetime | None]
    """When somebody last had it sent again after it had failed."""
