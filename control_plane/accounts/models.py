"""The tables of accounts, their sessions, one-time tokens and throttles."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base
from kernel.ids import format_id


class Account(Base):
    """A person. `email` is in lower case and proven once `verified_at` is set; before that there is no password."""

    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    verified_at: Mapped[datetime | None]
    staff: Mapped[bool]
    created_at: Mapped[datetime]

    @property
    def public_id(self) -> str:
        """`acc_…`"""
        return format_id("acc", self.id)

    @property
    def actor(self) -> str:
        """How the audit log names this person."""
        return f"account:{self.public_id}"


class Session(Base):
    """A browser that is signed in (`account`), or the machine owner's, which opens the outbox only (`owner`)."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    account_id: Mapped[UUID | None]
    digest: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ip: Mapped[str]
    user_agent: Mapped[str]


class OneTimeToken(Base):
    """What a link holds. `name` and `password_hash` are those of the attempt to sign up that it confirms."""

    __tablename__ = "one_time_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    account_id: Mapped[UUID | None]
    digest: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    name: Mapped[str | None]
    password_hash: Mapped[str | None]


class Throttle(Base):
    """The state of one throttle for one subject, see `accounts.throttles`."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(primary_key=True)
    tat: Mapped[datetime]
