"""Pin messages, unpin them, and list what a channel has pinned."""

from datetime import datetime
from typing import Any, Final

import orjson

from data_plane.channels.access import first_seq, visible_channel
from data_plane.channels.errors import ChannelFrozen
from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller, Reader, own_id
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.messages.access import locked_message, named_actor, require_not_blocked
from data_plane.messages.errors import MessageDeleted
from data_plane.messages.repository import message_of
from data_plane.messages.views import MessageRow, message_view
from data_plane.moments import in_utc
from data_plane.pins.errors import TooManyPinned
from data_plane.pins.repository import PinRepository
from data_plane.pins.views import PinList, PinnedView, PinView, pin_view
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput
from kernel.ids import format_id

MAX_PINNED: Final = 50
"""In one channel: the list comes whole."""


class Pins:
    """The use cases. Writers must come before the transaction's first write.

    Whether a pin has expired is a matter of the clock, at every look: nothing is written when it does.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def pin(
        self,
        uow: UnitOfWork,
        caller: Caller,
        message_id: str,
        *,
        expires_at: datetime | None = None,
        user_id: str | None = None,
    ) -> tuple[PinView, bool]:
        """Pin a message, or give its pin another end. Returns the pin, and whether anything changed.

        Raises `NotFound`, `PermissionMissing`, `ChannelFrozen`, `Blocked`, `MessageDeleted`, `TooManyPinned`,
        `UnknownUsers`, `InvalidInput`.
        """
        actor = await named_actor(uow, caller, user_id)
        found, before = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        before.require(Permission.MESSAGE_PIN)
        if found.frozen and Permission.MESSAGE_SEND_FROZEN not in before.allowed:
            raise ChannelFrozen()
        await require_not_blocked(uow, caller, found)
        if row.deleted_at is not None:
            raise MessageDeleted("A deleted message is not pinned.")
        now = truncate_ms(self._shard.clock.now())
        until = None if expires_at is None else in_utc(expires_at, field="expires_at")
        if until is not None and until <= now:
            raise InvalidInput("`expires_at` must be in the future.", field="expires_at")
        pins = PinRepository(uow.session, caller.app_id)
        await pins.forget_ended(row.channel_id, now)
        known, count = await pins.find(row.channel_id, row.id)
        id = format_id("msg", row.id)
        if known is not None and known.expires_at == until:
            return pin_view(id, row.seq, known.pinned_by, known.pinned_at, until), False
        if known is None and count >= MAX_PINNED:
            raise TooManyPinned(f"A channel has at most {MAX_PINNED} pinned messages.")
        view = pin_view(id, row.seq, actor, now, until)
        await self._tell(uow, caller, row, "message.pinned", actor, view, at=now)
        await pins.put(row.channel_id, row.id, row.seq, by=actor, at=now, until=until)
        return view, True

    async def unpin(self, uow: UnitOfWork, caller: Caller, message_id: str, *, user_id: str | None = None) -> None:
        """Take a pin away, in a frozen channel too; one that is not there, or has expired, is no change.

        Raises `NotFound`, `PermissionMissing`, `UnknownUsers`.
        """
        actor = await named_actor(uow, caller, user_id)
        found, before = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        before.require(Permission.MESSAGE_PIN)
        now = truncate_ms(self._shard.clock.now())
        if await PinRepository(uow.session, caller.app_id).remove(row.channel_id, row.id, now):
            data = {"message_id": format_id("msg", row.id), "message_seq": row.seq}
            await self._tell(uow, caller, row, "message.unpinned", actor, data, at=now)

    async def all_of(self, uow: UnitOfWork, reader: Reader, channel_id: str) -> PinList:
        """What a channel has pinned now and the reader sees, the latest pin first. Raises `NotFound`."""
        found = await visible_channel(self._shard, uow, reader, channel_id)
        now = self._shard.clock.now()
        pins = PinRepository(uow.session, reader.app_id)
        rows = await pins.shown(channel_id, own_id(reader), first=first_seq(found), at=now)
        return {"pins": [_pinned(row) for row in rows]}

    async def _tell(
        self, uow: UnitOfWork, caller: Caller, row: MessageRow, type: str, actor: str | None, data: Any, *, at: datetime
    ) -> None:
        entry = NewEntry(log=channel_log(row.channel_id), type=type, actor=actor, data=data)
        await self._shard.logs.append(uow, caller.app_id, [entry], at=at)


def _pinned(row: Any) -> PinnedView:
    shown = None if row.shown is None else orjson.loads(row.shown)
    message = message_view(message_of(row, thread_id=row.thread_id, extra=shown))
    pin = pin_view(message["id"], row.seq, row.pinned_by, row.pinned_at, row.expires_at)
    return {**pin, "message": message}
