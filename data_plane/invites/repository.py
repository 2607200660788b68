"""Invites of one app."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.channels.models import Channel
from data_plane.invites.models import ACCEPTED, PENDING, Invite


class InviteRepository:
    """Reads and writes invites within one app. Plain rows, never cached: what is read is current."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def pending(self, channel_id: str, user_ids: Sequence[str]) -> dict[str, Invite]:
        """Those that wait for an answer, by user."""
        query = select(Invite).where(
            Invite.app_id == self._app_id,
            Invite.channel_id == channel_id,
            Invite.user_id.in_(user_ids),
            Invite.state == PENDING,
        )
        rows = await self._session.scalars(query.execution_options(populate_existing=True))
        return {row.user_id: row for row in rows}

    async def put(self, channel_id: str, values: Sequence[Mapping[str, Any]]) -> None:
        """Invite anew, whatever came of it before."""
        rows = [{"app_id": self._app_id, "channel_id": channel_id, **each} for each in values]
        statement = insert(Invite).values(rows)
        kept = ("state", "role", "invited_by", "history_from", "custom", "created_at", "changed_at")
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["app_id", "channel_id", "user_id"],
                set_={name: statement.excluded[name] for name in kept},
            )
        )

    async def settle(self, channel_id: str, user_ids: Sequence[str], state: str, at: datetime) -> None:
        """Whatever is pending for these is over."""
        await self._session.execute(
            update(Invite)
            .where(
                Invite.app_id == self._app_id,
                Invite.channel_id == channel_id,
                Invite.user_id.in_(user_ids),
                Invite.state == PENDING,
            )
            .values(state=state, changed_at=at)
            .execution_options(synchronize_session=False)
        )

    async def joined(self, channel_id: str, user_ids: Sequence[str], at: datetime) -> None:
        """They became members, by whatever way."""
        await self.settle(channel_id, user_ids, ACCEPTED, at)

    async def of_user(self, user_id: str, *, after: str | None, limit: int) -> list[tuple[Invite, Any]]:
        """A user's pending ones by channel, each with its channel."""
        query = self._with_channel().where(Invite.user_id == user_id, Invite.state == PENDING)
        if after is not None:
            query = query.where(Invite.channel_id > after)
        rows = await self._session.execute(query.order_by(Invite.channel_id).limit(limit))
        return [(row.Invite, row) for row in rows]

    async def of_channel(self, channel_id: str, *, after: str | None, limit: int) -> list[Invite]:
        """A channel's pending ones by user."""
        query = select(Invite).where(
            Invite.app_id == self._app_id, Invite.channel_id == channel_id, Invite.state == PENDING
        )
        if after is not None:
            query = query.where(Invite.user_id > after)
        return list(await self._session.scalars(query.order_by(Invite.user_id).limit(limit)))

    def _with_channel(self) -> Any:
        # Also of channels that are deleted: a job takes their invites back, each with an event, and not a list.
        return (
            select(Invite, Channel.id, Channel.type, Channel.name, Channel.image)
            .join(Channel, and_(Channel.app_id == self._app_id, Channel.id == Invite.channel_id))
            .where(Invite.app_id == self._app_id)
        )
