"""Channels of one app, each with its log's head and one user's membership."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    and_,
    any_,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.channels.kept import KEPT_ANYHOW, Kept, kept_so
from data_plane.channels.models import Channel, ChannelRow, ChannelState, LogEvent, LogHead
from data_plane.log import channel_log
from data_plane.members.models import MEMBER_COLUMNS, Member, member_of

_CHANNEL = (
    Channel.id,
    Channel.type,
    Channel.name,
    Channel.image,
    Channel.custom,
    Channel.created_by,
    Channel.frozen,
    Channel.grants,
    Channel.created_at,
    Channel.updated_at,
    Channel.history,
    Channel.truncated_to,
    Channel.slow_mode,
    Channel.members_digest.is_not(None).label("is_distinct"),
    Channel.truncated_number,
)
_HEAD = (LogHead.last_seq, LogHead.last_number, LogHead.member_count)


class ChannelRepository:
    """Reads and writes channels within one app. Plain rows, never cached: what is read is current."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def find(self, channel_id: str, user_id: str | None) -> ChannelState | None:
        """A channel that is not deleted, with the user's membership when there is one."""
        row = (await self._session.execute(self._one(channel_id, user_id))).one_or_none()
        return state_of(row, row) if row is not None else None

    async def page(
        self,
        user_id: str | None,
        *,
        after: str | None,
        limit: int,
        kept: Kept = KEPT_ANYHOW,
        now: datetime | None = None,
    ) -> list[ChannelState]:
        """The user's channels that it has arranged so, or for no user all, by id; only pinned ones in their order.

        Two statements; in a transaction that sees one instant, every channel is true as of its own `last_seq`.
        """
        query = self._everything(after) if user_id is None else self._of_member(user_id, after, kept, now)
        rows = (await self._session.execute(query.limit(limit))).all()
        heads = await self._heads([channel_log(row.id) for row in rows])
        return [state_of(row, heads[channel_log(row.id)]) for row in rows]

    async def many(self, ids: Sequence[str], user_id: str | None) -> dict[str, ChannelState]:
        """Channels by id, each with the user's membership. Two statements, as `page`."""
        query = self._channels(user_id).where(Channel.id == any_(literal(list(ids), ARRAY(Text))))
        rows = (await self._session.execute(query)).all()
        heads = await self._heads([channel_log(row.id) for row in rows])
        return {row.id: state_of(row, heads[channel_log(row.id)]) for row in rows}

    async def is_taken(self, channel_id: str) -> bool:
        """Whether the id was ever used, also by a channel that is deleted now."""
        query = select(literal(1)).where(Channel.app_id == self._app_id, Channel.id == channel_id)
        return await self._session.scalar(query) is not None

    async def birth(self, channel_id: str) -> tuple[dict[str, Any], set[str]] | None:
        """What the log says of a channel's creation: its view at that moment and its founding members."""
        query = select(LogEvent.seq, LogEvent.type, LogEvent.data).where(
            LogEvent.app_id == self._app_id,
            LogEvent.log == channel_log(channel_id),
            # The founders' entries follow the creation without a break, and there are at most 101 of them.
            or_(LogEvent.seq == 1, and_(LogEvent.seq <= 102, LogEvent.type == "member.added")),
        )
        rows = (await self._session.execute(query.order_by(LogEvent.seq))).all()
        if not rows or rows[0].type != "channel.created" or not rows[0].data:
            return None
        channel: dict[str, Any] = rows[0].data["channel"]
        last = 1 + channel["member_count"]
        return channel, {row.data["user_id"] for row in rows[1:] if row.seq <= last}

    async def of_members(self, digest: bytes) -> str | None:
        """The id of the one channel of these members."""
        query = select(Channel.id).where(
            Channel.app_id == self._app_id, Channel.members_digest == digest, Channel.deleted_at.is_(None)
        )
        found: str | None = await self._session.scalar(query)
        return found

    async def add(self, channel: ChannelRow, *, digest: bytes | None = None) -> None:
        """Insert a channel whose id was never used; with `digest` the one of its members."""
        await self._session.execute(
            insert(Channel).values(
                app_id=self._app_id,
                id=channel.id,
                type=channel.type,
                name=channel.name,
                image=channel.image,
                custom=channel.custom,
                created_by=channel.created_by,
                frozen=channel.frozen,
                history=channel.history,
                slow_mode=channel.slow_mode,
                members_digest=digest,
                created_at=channel.created_at,
                updated_at=channel.updated_at,
            )
        )

    async def change(self, channel_id: str, values: Mapping[str, Any]) -> None:
        """Set columns of a channel."""
        await self._session.execute(
            update(Channel)
            .where(Channel.app_id == self._app_id, Channel.id == channel_id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )

    async def mark_deleted(self, channel_id: str, at: datetime) -> None:
        """Let the channel be gone for everybody. Its content is wiped later."""
        await self.change(channel_id, {"deleted_at": at})

    def _channels(self, user_id: str | None) -> Select[Any]:
        return (
            select(*_CHANNEL, *MEMBER_COLUMNS)
            .outerjoin(
                Member,
                and_(Member.app_id == self._app_id, Member.channel_id == Channel.id, Member.user_id == user_id),
            )
            .where(Channel.app_id == self._app_id, Channel.deleted_at.is_(None))
        )

    def _everything(self, after: str | None) -> Select[Any]:
        query = self._channels(None).order_by(Channel.id)
        return query if after is None else query.where(Channel.id > after)

    def _of_member(self, user_id: str, after: str | None, kept: Kept, now: datetime | None) -> Select[Any]:
        # The offset is a fence: it holds the join to the order written here, from the user's memberships to their
        # channels. With stale statistics the planner would rather read every channel of the app in order and ask of
        # each whether the user is in it.
        channel = (
            select(*_CHANNEL)
            .where(Channel.app_id == self._app_id, Channel.id == Member.channel_id, Channel.deleted_at.is_(None))
            .offset(0)
            .lateral("channel")
        )
        query = (
            select(*channel.c, *MEMBER_COLUMNS)
            .join_from(Member, channel, true())
            .where(Member.app_id == self._app_id, Member.user_id == user_id, *kept_so(kept, user_id, now))
        )
        if kept.pinned:
            query = query.order_by(Member.pin_order, Member.channel_id)
            if after is not None:
                order, _, channel_id = after.partition("/")
                query = query.where(tuple_(Member.pin_order, Member.channel_id) > (float(order), channel_id))
            return query
        query = query.order_by(Member.channel_id)
        return query if after is None else query.where(Member.channel_id > after)

    def _one(self, channel_id: str, user_id: str | None) -> Select[Any]:
        # Never join a head by an expression over the channel's id: under row-level security that cannot use the index,
        # and every head of the app is read.
        head = and_(LogHead.app_id == self._app_id, LogHead.log == channel_log(channel_id))
        query = self._channels(user_id).where(Channel.id == channel_id)
        return query.join(LogHead, head).add_columns(*_HEAD)

    async def _heads(self, logs: Sequence[str]) -> dict[str, Any]:
        query = select(LogHead.log, *_HEAD).where(
            LogHead.app_id == self._app_id, LogHead.log == any_(literal(list(logs), ARRAY(Text)))
        )
        return {row.log: row for row in await self._session.execute(query)}


def state_of(row: Any, head: Any) -> ChannelState:
    """From a row with a channel's columns and a membership's, and one with its head's."""
    channel = ChannelRow(
        id=row.id,
        type=row.type,
        name=row.name,
        image=row.image,
        custom=row.custom,
        created_by=row.created_by,
        frozen=row.frozen,
        grants=row.grants or {},
        created_at=row.created_at,
        updated_at=row.updated_at,
        history=row.history,
        truncated_to=row.truncated_to,
        slow_mode=row.slow_mode,
        distinct=row.is_distinct,
        truncated_number=row.truncated_number,
    )
    member = member_of(row) if row.user_id is not None else None
    return ChannelState(
        channel=channel,
        last_seq=head.last_seq,
        last_number=head.last_number,
        member_count=head.member_count,
        member=member,
    )
