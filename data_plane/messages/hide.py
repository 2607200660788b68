"""Delete a message for oneself: a user's own state, told in its own log."""

from data_plane.identity.caller import Caller
from data_plane.log import channel_log, user_log
from data_plane.log.writer import NewEntry
from data_plane.messages.errors import no_message
from data_plane.messages.repository import FoundMessage, MessageRepository
from data_plane.messages.views import HiddenMessage
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.ids import format_id, parse_id


class MessageHiding:
    """The use case. It must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def hide(
        self, uow: UnitOfWork, caller: Caller, message_id: str, *, user_id: str | None = None
    ) -> HiddenMessage:
        """Let a member see a message no more; hiding again changes nothing.

        What is shown with the message for all says that somebody hides it, so the channel's log is locked, too. Raises
        `NotFound`, also for who is no member.
        """
        user = caller.acting_as(user_id)
        id = parse_id("msg", message_id)
        messages = MessageRepository(uow.session, caller.app_id)
        channel_id = _seen(await messages.find(id, user)).row.channel_id
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), user_log(user)])
        found = _seen(await messages.find(id, user))
        row = found.row
        reply_number: int | None = (row.extra or {}).get("reply_number")
        hidden: HiddenMessage = {
            "channel_id": channel_id,
            "message_id": format_id("msg", row.id),
            "number": None if row.silent else row.number,
            "thread_id": format_id("msg", row.thread_id) if row.thread_id is not None else None,
            "reply_number": reply_number,
        }
        if not found.hidden:
            now = truncate_ms(self._shard.clock.now())
            await messages.hide(row.id, user, now)
            entry = NewEntry(log=user_log(user), type="message.hidden", actor=user, data=hidden)
            await self._shard.logs.append(uow, caller.app_id, [entry], at=now)
        return hidden


def _seen(found: FoundMessage | None) -> FoundMessage:
    if found is None or found.role is None or found.row.seq < found.first_seq:
        raise no_message()
    return found
