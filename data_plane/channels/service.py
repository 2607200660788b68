"""Look at, change and delete channels."""

import msgspec

from data_plane.channels.access import require_owner, visible_channel
from data_plane.channels.create import view_of
from data_plane.channels.errors import no_channel
from data_plane.channels.jobs import DISBAND, PURGE
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.schemas import UpdateChannel
from data_plane.channels.views import ChannelPage, ChannelView, channel_view
from data_plane.custom import check_custom
from data_plane.identity.caller import Caller
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.members.models import MemberRow
from data_plane.paging import decode_cursor, page_of
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork

_LIST = "channels"


class ChannelService:
    """Use cases on channels that exist. Writers must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def page(
        self, uow: UnitOfWork, caller: Caller, *, user_id: str | None, limit: int, cursor: str | None
    ) -> ChannelPage:
        """Channels by id: the caller's, those of the user that a server names, or all of the app."""
        user = caller.acting_as(user_id) if user_id is not None or not caller.is_server else None
        channels = ChannelRepository(uow.session, caller.app_id)
        after = decode_cursor(_LIST, cursor)
        rows = await channels.page(user, after=after, limit=limit + 1)
        views, following = page_of(rows, limit, kind=_LIST, key=lambda state: state.channel.id, view=view_of)
        return {"channels": views, "next_cursor": following}

    async def get(self, uow: UnitOfWork, caller: Caller, channel_id: str) -> ChannelView:
        """One channel. Raises `NotFound` when the caller does not see it."""
        found = await ChannelRepository(uow.session, caller.app_id).find(channel_id, caller.user_id)
        if found is None or (found.member is None and not caller.is_server):
            raise no_channel()
        return view_of(found)

    async def update(self, uow: UnitOfWork, caller: Caller, channel_id: str, wish: UpdateChannel) -> ChannelView:
        """Change settings. What is so already is no change; without any, nothing is written and nobody told."""
        wanted = {
            name: value
            for name in ("name", "image", "custom", "frozen")
            if (value := getattr(wish, name)) is not msgspec.UNSET
        }
        if "custom" in wanted:
            wanted["custom"] = check_custom(wanted["custom"])
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id)])
        channels = ChannelRepository(uow.session, caller.app_id)
        state = await visible_channel(channels, caller, channel_id)
        require_owner(caller, state)
        changes = {name: value for name, value in wanted.items() if getattr(state.channel, name) != value}
        if not changes:
            return view_of(state)
        now = truncate_ms(self._shard.clock.now())
        changes["updated_at"] = now
        await channels.change(channel_id, changes)
        channel = msgspec.structs.replace(state.channel, **changes)

        def seen_by(member: MemberRow | None) -> ChannelView:
            return channel_view(
                channel,
                last_seq=state.last_seq + 1,
                last_number=state.last_number,
                member_count=state.member_count,
                member=member,
            )

        updated = NewEntry(
            log=channel_log(channel_id), type="channel.updated", actor=caller.user_id, data={"channel": seen_by(None)}
        )
        await self._shard.logs.append(uow, caller.app_id, [updated], at=now)
        return seen_by(state.member)

    async def delete(self, uow: UnitOfWork, caller: Caller, channel_id: str) -> None:
        """Delete a channel: gone for everybody at once; memberships and content go in jobs, whatever the size."""
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id)])
        channels = ChannelRepository(uow.session, caller.app_id)
        require_owner(caller, await visible_channel(channels, caller, channel_id))
        now = truncate_ms(self._shard.clock.now())
        await channels.mark_deleted(channel_id, now)
        deleted = NewEntry(
            log=channel_log(channel_id),
            type="channel.deleted",
            actor=caller.user_id,
            data={"channel_id": channel_id},
        )
        await self._shard.logs.append(uow, caller.app_id, [deleted], at=now)
        target = {"app_id": str(caller.app_id), "channel_id": channel_id}
        await self._shard.outbox.put(uow, DISBAND, target, now=now)
        await self._shard.outbox.put(uow, PURGE, target | {"after": 0}, now=now)
