"""The tables of accounts, their sessions, one-time tokens and throttles."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base
from kernel.ids import format_id


class Account(Base):
    """A person. `email` is in lower case and proven once `verified_at` is set; before that there is no password.

    `two_step_at`: since when signing in takes a code too.
    """

    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    verified_at: Mapped[datetime | None]
    staff: Mapped[bool]
    created_at: Mapped[datetime]
    two_step_at: Mapped[datetime | None]

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
    confirmed_at: Mapped[datetime | None]


class OneTimeToken(Base):
    """What a link holds. `name` and `password_hash` are those of the attempt to sign up that it confirms, `email` is
    the address that it makes the account's."""

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
    email: Mapped[str | None]


class Authenticator(Base):
    """The secret that an account shares with an authenticator app; `used_step` is the newest step that was accepted."""

    __tablename__ = "authenticators"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed_secret: Mapped[bytes]
    created_at: Mapped[datetime]
    used_step: Mapped[int]


class RecoveryCode(Base):
    """A code for who has lost the authenticator, as an HMAC."""

    __tablename__ = "recovery_codes"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Throttle(Base):
    """The state of one throttle for one subject, see `accounts.throttles`."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(primary_key=True)
    tat: Mapped[datetime]
