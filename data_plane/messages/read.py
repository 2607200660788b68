"""Mark a channel read: move a member's read position forward."""

from data_plane.channels.errors import no_channel
from data_plane.channels.repository import ChannelRepository
from data_plane.identity.caller import Caller
from data_plane.log import user_log
from data_plane.log.writer import NewEntry
from data_plane.members.repository import MemberRepository
from data_plane.messages.errors import no_message
from data_plane.messages.repository import MessageRepository
from data_plane.messages.views import ReadPosition
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput
from kernel.ids import parse_id


class Reading:
    """The use case. Must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def mark_read(
        self,
        uow: UnitOfWork,
        caller: Caller,
        channel_id: str,
        *,
        number: int | None = None,
        message_id: str | None = None,
        user_id: str | None = None,
    ) -> ReadPosition:
        """Everything up to a number, a message, or (neither given) the end is read.

        Returns the position as it is then; it never goes back, and only when it moved does the user's own log hear of
        it. A number beyond the end means the end. Raises `NotFound`.
        """
        if number is not None and message_id is not None:
            raise InvalidInput("Give `number` or `message_id`, not both.", field="message_id")
        reader = caller.acting_as(user_id)
        # The user's own log alone: a thousand readers of one channel must not queue behind its writer.
        await self._shard.logs.lock(uow, caller.app_id, [user_log(reader)])
        state = await ChannelRepository(uow.session, caller.app_id).find(channel_id, reader)
        if state is None or state.member is None:
            raise no_channel()
        target = state.last_number
        if message_id is not None:
            messages = MessageRepository(uow.session, caller.app_id)
            first = max(state.member.first_seq, state.channel.truncated_to)
            of_message = await messages.number_of(channel_id, parse_id("msg", message_id, field="message_id"), first)
            if of_message is None:
                raise no_message()
            target = of_message
        elif number is not None:
            target = min(number, state.last_number)

        position = state.member.read_number
        if target > position:
            members = MemberRepository(uow.session, caller.app_id)
            if await members.move_read_position(channel_id, reader, target):
                moved = _unread(channel_id, target, state.last_number)
                entry = NewEntry(log=user_log(reader), type="unread.changed", actor=reader, data=moved)
                await self._shard.logs.append(uow, caller.app_id, [entry], at=truncate_ms(self._shard.clock.now()))
                return moved
            # A message of the reader's own was stored meanwhile and moved the position further than this would.
            position = target
        return _unread(channel_id, position, state.last_number)


def _unread(channel_id: str, read_number: int, last_number: int) -> ReadPosition:
    return {
        "channel_id": channel_id,
        "read_number": read_number,
        "last_number": last_number,
        "unread": max(0, last_number - read_number),
    }
