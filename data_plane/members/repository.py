"""Memberships of one app's channels."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.members.models import MEMBER_COLUMNS, Member, MemberRow, member_of

_USERS = text("select id, role from chat.users where app_id = :app and id = any(cast(:ids as text[]))")
_SHOWS_READ = text("select read_receipts from chat.privacy where app_id = :app and user_id = :user")
_OTHER_OWNER = text(
    "select 1 from chat.members "
    "where app_id = :app and role = 'owner' and channel_id = :channel and user_id <> :user limit 1"
)
_ANYBODY_ELSE = text(
    "select 1 from chat.members where app_id = :app and channel_id = :channel and user_id <> :user limit 1"
)


class MemberRepository:
    """Reads and writes memberships within one app. Plain rows, never cached: what is read is current."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def unknown_users(self, user_ids: Sequence[str]) -> list[str]:
        """Those of the ids that name no user of the app, in argument order."""
        known = await self.app_roles(user_ids)
        return [user_id for user_id in user_ids if user_id not in known]

    async def app_roles(self, user_ids: Sequence[str]) -> dict[str, str]:
        """The word that each of the users has as its role in the app; users that do not exist are left out."""
        rows = await self._session.execute(_USERS, {"app": self._app_id, "ids": list(user_ids)})
        return {row.id: row.role for row in rows}

    async def has_other_owner(self, channel_id: str, user_id: str) -> bool:
        """Whether anybody but this user owns the channel."""
        name = {"app": self._app_id, "channel": channel_id, "user": user_id}
        return await self._session.scalar(_OTHER_OWNER, name) is not None

    async def has_anybody_else(self, channel_id: str, user_id: str) -> bool:
        """Whether anybody but this user is in the channel."""
        name = {"app": self._app_id, "channel": channel_id, "user": user_id}
        return await self._session.scalar(_ANYBODY_ELSE, name) is not None

    async def shows_read(self, user_id: str) -> bool:
        """Whether others see how far the user has read."""
        shown = await self._session.scalar(_SHOWS_READ, {"app": self._app_id, "user": user_id})
        return shown is not False

    async def find(self, channel_id: str, user_ids: Sequence[str]) -> dict[str, MemberRow]:
        """The memberships that exist, by user."""
        query = select(*MEMBER_COLUMNS).where(
            Member.app_id == self._app_id, Member.channel_id == channel_id, Member.user_id.in_(user_ids)
        )
        return {row.user_id: member_of(row) for row in await self._session.execute(query)}

    async def page(self, channel_id: str, *, after: str | None, limit: int) -> list[MemberRow]:
        """Up to `limit` members by user id, from the one after `after` on."""
        query = select(*MEMBER_COLUMNS).where(Member.app_id == self._app_id, Member.channel_id == channel_id)
        if after is not None:
            query = query.where(Member.user_id > after)
        rows = await self._session.execute(query.order_by(Member.user_id).limit(limit))
        return [member_of(row) for row in rows]

    async def add(self, channel_id: str, rows: Sequence[MemberRow]) -> None:
        """Insert memberships that are not there yet."""
        if rows:
            common = {"app_id": self._app_id, "channel_id": channel_id}
            values = [
                common
                | {
                    "user_id": row.user_id,
                    "role": row.role,
                    "joined_seq": row.joined_seq,
                    "joined_at": row.joined_at,
                    "read_number": row.read_number,
                    "history_from": row.history_from,
                    "custom": row.custom,
                }
                for row in rows
            ]
            await self._session.execute(insert(Member).values(values))

    async def change(self, channel_id: str, user_id: str, values: Mapping[str, Any]) -> None:
        """Set columns of a membership."""
        await self._session.execute(
            update(Member)
            .where(Member.app_id == self._app_id, Member.channel_id == channel_id, Member.user_id == user_id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )

    async def remove(self, channel_id: str, user_ids: Sequence[str]) -> list[str]:
        """Delete memberships and return whose they were, sorted."""
        gone = await self._session.scalars(
            delete(Member)
            .where(Member.app_id == self._app_id, Member.channel_id == channel_id, Member.user_id.in_(user_ids))
            .returning(Member.user_id)
            .execution_options(synchronize_session=False)
        )
        return sorted(gone)

    async def pins(self, user_id: str) -> list[tuple[str, float]]:
        """The channels that a user has pinned, in order, each with what the order is by."""
        query = (
            select(Member.channel_id, Member.pin_order)
            .where(Member.app_id == self._app_id, Member.user_id == user_id, Member.pin_order.is_not(None))
            .order_by(Member.pin_order, Member.channel_id)
        )
        return [(row.channel_id, row.pin_order) for row in await self._session.execute(query)]
