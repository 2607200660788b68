"""The entitlements' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base


class Entitlement(Base):
    """One meter of one app: the plan's limit, and the standing in `period` (`2026-01`)."""

    __tablename__ = "entitlements"

    app_id: Mapped[UUID] = mapped_column(primary_key=True)
    meter: Mapped[str] = mapped_column(primary_key=True)
    included: Mapped[int | None]
    over: Mapped[str]
    period: Mapped[str]
    used: Mapped[int]
    exceeded: Mapped[bool]
    published_used: Mapped[int]
    published_at: Mapped[datetime]
