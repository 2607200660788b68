"""Take a channel's messages away up to some point, for everybody: its row moves, however many they are."""

from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import select, text

from data_plane.channels.access import visible_channel
from data_plane.channels.create import view_of
from data_plane.channels.errors import no_channel
from data_plane.channels.jobs import WIPE
from data_plane.channels.models import ChannelState
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.schemas import TruncateChannel, TruncationMessage
from data_plane.channels.views import ChannelView
from data_plane.grants.permissions import Permission
from data_plane.identity.activity import subject_of
from data_plane.identity.caller import Caller
from data_plane.identity.errors import UserDeactivated
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.members.errors import UnknownUsers
from data_plane.messages.flush import NewMessage
from data_plane.messages.models import Message
from data_plane.messages.schemas import check_content, content_hash
from data_plane.messages.within import store_within
from data_plane.moments import in_utc
from data_plane.shard import Shard
from data_plane.tenancy.quotas import check_messages
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput

_SEQ_AT: Final = text("select chat.seq_at(:app, :channel, :at)")


class Truncation:
    """The use case. Must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def truncate(self, uow: UnitOfWork, caller: Caller, channel_id: str, wish: TruncateChannel) -> ChannelView:
        """Let older messages be gone; returns the channel as it is then. What is gone already is no change, of which
        nothing is said.

        With a message `uow` must be one of `shard.system`, for the flush's function writes it. Raises `NotFound`,
        `PermissionMissing`, `InvalidInput`; with a message also `UnknownUsers`, `UserDeactivated`, `QuotaExceeded`.
        """
        if wish.before is not None and wish.before_time is not None:
            raise InvalidInput("Give `before` or `before_time`, not both.", field="before_time")
        now = truncate_ms(self._shard.clock.now())
        said: int | None = None
        if wish.message is not None:
            said = await self._say(uow, caller, channel_id, wish, wish.message, now)
        if said is None:
            await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id)])
        found = await visible_channel(self._shard, uow, caller, channel_id)
        found.require(Permission.CHANNEL_TRUNCATE)
        # What is said of it stays.
        most = found.state.last_seq + 1 if said is None else said
        target = min(await self._target(uow, caller, found.state, wish), most)
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

    async def _say(
        self,
        uow: UnitOfWork,
        caller: Caller,
        channel_id: str,
        wish: TruncateChannel,
        said: TruncationMessage,
        now: datetime,
    ) -> int | None:
        """Store the system's message, which locks the channel, before its end is moved up to it. Returns its seq; null
        when there would be nothing to say."""
        user_id = caller.acting_as(said.user_id)
        check_messages(caller.app, now)
        content = check_content(said.text, None, said.custom)
        found = await visible_channel(self._shard, uow, caller, channel_id)
        found.require(Permission.CHANNEL_TRUNCATE)
        if await self._target(uow, caller, found.state, wish) <= found.state.channel.truncated_to:
            return None
        extra = {"system": True}
        message = NewMessage(
            app_id=caller.app_id,
            channel_id=channel_id,
            id=self._shard.ids.uuid7(),
            user_id=user_id,
            text=content.text,
            attachments=content.attachments_json,
            custom=content.custom_json,
            silent=True,
            content_hash=content_hash(
                user_id, channel_id, content.text, content.attachments, content.custom, False, extra
            ),
            by_server=True,  # whoever may truncate may let the system say so
            count_active=False,
            subject=subject_of(caller.app, user_id),
            extra=orjson.dumps(extra).decode(),
        )
        verdict = await store_within(self._shard, uow, message, now)
        match verdict.verdict:
            case "created":
                return verdict.seq
            case "no_user":
                raise UnknownUsers.of([user_id], field="message.user_id")
            case "deactivated":
                raise UserDeactivated("This user is deactivated and says nothing.", user_id=user_id)
            case _:
                raise no_channel()

    async def _target(self, uow: UnitOfWork, caller: Caller, state: ChannelState, wish: TruncateChannel) -> int:
        """The first seq of which messages stay."""
        if wish.before is not None:
            return wish.before
        if wish.before_time is None:
            return state.last_seq + 1
        asked = {"app": caller.app_id, "channel": state.channel.id, "at": in_utc(wish.before_time, field="before_time")}
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
