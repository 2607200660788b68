"""The tables of credentials and of what their bearers tell."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base


class Credential(Base):
    """`nk_…` of one node or of one shard's relay, kept as a digest, and what its bearer last told."""

    __tablename__ = "credentials"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    shard: Mapped[str]
    digest: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    applied_version: Mapped[int | None]
    public_url: Mapped[str | None]
    boot: Mapped[str | None]

    @property
    def source(self) -> str:
        """The only name under which the bearer may report usage."""
        return f"relay:{self.shard}" if self.kind == "relay" else f"node:{self.name}"


class NodeWorker(Base):
    """What one process of a node has applied. A node that never had more than one has a row of worker 0."""

    __tablename__ = "node_workers"

    credential_id: Mapped[UUID] = mapped_column(primary_key=True)
    worker: Mapped[int] = mapped_column(primary_key=True)
    applied_version: Mapped[int]
    last_seen_at: Mapped[datetime]
