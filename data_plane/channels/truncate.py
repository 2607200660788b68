"""Take a channel's messages away up to some point, for everybody: its row moves, however many they are."""

from typing import Any, Final

from sqlalchemy import select, text

from data_plane.channels.access import visible_channel
from data_plane.channels.create import view_of
from data_plane.channels.jobs import WIPE
from data_plane.channels.models import ChannelState
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.schemas import TruncateChannel
from data_plane.channels.views import ChannelView
from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.messages.models import Message
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput

_SEQ_AT: Final = text("select chat.seq_at(:app, :channel, :at)")


class Truncation:
    """The use case. Must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def truncate(self, uow: UnitOfWork, caller: Caller, channel_id: str, wish: TruncateChannel) -> ChannelView:
        """Let older messages be gone; returns the channel as it is then. What is gone already is no change.

        Raises `NotFound`, `PermissionMissing`, `InvalidInput`.
        """
        if wish.before is not None and wish.before_time is not None:
            raise InvalidInput("Give `before` or `before_time`, not both.", field="before_time")
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id)])
        found = await visible_channel(self._shard, uow, caller, channel_id)
        found.require(Permission.CHANNEL_TRUNCATE)
        now = truncate_ms(self._shard.clock.now())
        target = min(await self._target(uow, caller, found.state, wish), found.state.last_seq + 1)
        channels = ChannelRepository(uow.session, caller.app_id)
        if target > found.state.channel.truncated_to:
            number = await self._number_before(uow, caller, channel_id, target)
            changes: dict[str, Any] = {
                "truncated_to": target,
                "truncated_number": max(number, found.state.channel.truncated_number),
            }
            await channels.change(channel_id, changes)
            data = {"channel_id": channel_id, **changes, "hard": wish.hard}
            entry = NewEntry(log=channel_log(channel_id), type="channel.truncated", actor=caller.user_id, data=data)
            await self._shard.logs.append(uow, caller.app_id, [entry], at=now)
        if wish.hard:
            # Also of what an earlier, soft one left: whoever says it again means that.
            job = {"app_id": str(caller.app_id), "channel_id": channel_id, "after": 0, "before": target}
            await self._shard.outbox.put(uow, WIPE, job, now=now)
        state = await channels.find(channel_id, caller.user_id)
        return view_of(state or found.state, found.standing)

    async def _target(self, uow: UnitOfWork, caller: Caller, state: ChannelState, wish: TruncateChannel) -> int:
        """The first seq of which messages stay."""
        if wish.before is not None:
            return wish.before
        if wish.before_time is None:
            return state.last_seq + 1
        asked = {"app": caller.app_id, "channel": state.channel.id, "at": wish.before_time}
        seq: int | None = await uow.session.scalar(_SEQ_AT, asked)
        return state.last_seq + 1 if seq is None else seq

    async def _number_before(self, uow: UnitOfWork, caller: Caller, channel_id: str, seq: int) -> int:
        query = (
            select(Message.number)
            .where(Message.app_id == caller.app_id, Message.channel_id == channel_id, Message.seq.between(1, seq - 1))
            .order_by(Message.seq.desc())
            .limit(1)
        )
        number: int | None = await uow.session.scalar(query)
        return number or 0
