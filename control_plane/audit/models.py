"""The audit log's table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base


class AuditEntry(Base):
    """Append-only; the database refuses to change or delete one."""

    __tablename__ = "audit_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    target: Mapped[str]
    organization_id: Mapped[UUID | None]
    app_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    data: Mapped[dict[str, Any]]


class AuditLink(Base):
    """An entry's place in the chain of its organization (the nil UUID: of none). The database writes it at commit."""

    __tablename__ = "audit_chain"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID]
    previous: Mapped[str]
    hash: Mapped[str]
