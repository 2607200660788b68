"""The tables of members and of those who are invited."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base
from kernel.ids import format_id


class Membership(Base):
    """An account in an organization."""

    __tablename__ = "memberships"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str]
    created_at: Mapped[datetime]


class Invitation(Base):
    """Open until it is accepted, revoked or over. Pages may not read `digest`, so they select columns."""

    __tablename__ = "invitations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    email: Mapped[str]
    role: Mapped[str]
    digest: Mapped[str]
    invited_by: Mapped[UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def public_id(self) -> str:
        """`inv_…`"""
        return format_id("inv", self.id)
