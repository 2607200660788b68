"""The apps' table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.models import Base
from kernel.ids import format_id


class App(Base):
    """A tenant of the data plane. `version` is the configuration version that last changed it; `hold` is what billing
    keeps it from."""

    __tablename__ = "apps"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    name: Mapped[str]
    environment: Mapped[str]
    status: Mapped[str]
    shard: Mapped[str]
    plan: Mapped[str]
    plan_version: Mapped[int] = mapped_column(Integer())
    version: Mapped[int]
    allowed_origins: Mapped[list[str]]
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    promoted_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    chat_erased_at: Mapped[datetime | None]
    """Since when nothing of a deleted app's chat is left on its shard but counts."""
    hold: Mapped[str | None]

    @property
    def guests(self) -> bool:
        """Whether whoever has the publishable key may make itself a guest."""
        return bool(self.settings.get("guests", False))

    @property
    def anonymous(self) -> bool:
        """Whether whoever has the publishable key may read and watch, as nobody, what the role `anonymous` may see."""
        return bool(self.settings.get("anonymous", False))

    @property
    def revoke_leaked_keys(self) -> bool:
        """Whether a secret key that is found in public is revoked at once; else its owners are told, and it goes on."""
        return bool(self.settings.get("revoke_leaked_keys", True))

    @property
    def public_id(self) -> str:
        """`app_…`"""
        return format_id("app", self.id)
