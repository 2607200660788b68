"""The organizations' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base


class Organization(Base):
    """A customer. `owner_email` is in lower case. With `closed_at` it is closed, with `erased_at` a mere tombstone."""

    __tablename__ = "organizations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_email: Mapped[str]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]
    erased_at: Mapped[datetime | None]
    two_step_required: Mapped[bool]


class OwnershipOffer(Base):
    """Open until it is accepted, ended, or over."""

    __tablename__ = "ownership_offers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    offered_by: Mapped[UUID]
    offered_to: Mapped[UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
