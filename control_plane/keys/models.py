"""The keys' tables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base
from kernel.ids import format_id


class ApiKey(Base):
    """`pk_…` by its value, `sk_…` by its digest alone."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    app_id: Mapped[UUID]
    kind: Mapped[str]
    value: Mapped[str | None]
    digest: Mapped[str | None]
    last_four: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_version: Mapped[int | None]
    last_used_at: Mapped[datetime | None]
    exposed_at: Mapped[datetime | None]
    """When it was first reported as found where it should not be: `exposed_by` whom, and where they say it was."""
    exposed_by: Mapped[str | None]
    exposed_where: Mapped[str | None]

    @property
    def public_id(self) -> str:
        """`key_…`"""
        return format_id("key", self.id)


class AppSigningKey(Base):
    """A key that user tokens are verified with: a sealed shared secret (HS256) or a PEM public key."""

    __tablename__ = "signing_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    app_id: Mapped[UUID]
    kid: Mapped[str]
    algorithm: Mapped[str]
    sealed_secret: Mapped[bytes | None]
    public_key: Mapped[str | None]
    mint: Mapped[bool]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_version: Mapped[int | None]
    key_set_id: Mapped[UUID | None]
    """The key set whose address it was read from, and which it leaves when it is no longer there."""

    @property
    def public_id(self) -> str:
        """`key_…`"""
        return format_id("key", self.id)
