"""Channel types and roles of an app's own, as they are stored."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data_plane.models import ChatModel


class TypeRow(ChatModel):
    """A channel type that the app has made, or a built-in one that it has changed."""

    __tablename__ = "channel_types"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    creator_role: Mapped[str] = mapped_column(Text)
    grants: Mapped[dict[str, Any]] = mapped_column(JSONB)
    history: Mapped[str] = mapped_column(Text)
    receipts: Mapped[bool]
    slow_mode: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RoleRow(ChatModel):
    """A role that the app has made, or a built-in one that it has changed."""

    __tablename__ = "roles"

    app_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    grants: Mapped[list[str]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
