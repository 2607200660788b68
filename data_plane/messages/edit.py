"""Look at, edit and delete single messages."""

from typing import Any

import msgspec

from data_plane.channels.errors import ChannelFrozen
from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.messages.access import locked_message, named_actor, visible_message
from data_plane.messages.errors import MessageDeleted
from data_plane.messages.repository import MessageRepository
from data_plane.messages.schemas import check_content
from data_plane.messages.views import MessageRow, MessageView, message_data, message_view
from data_plane.pins.repository import PinRepository
from data_plane.reactions.repository import ReactionRepository
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork


class MessageEditing:
    """Use cases on messages that exist. Writers must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def get(self, uow: UnitOfWork, caller: Caller, message_id: str) -> MessageView:
        """One message. Raises `NotFound` when the caller does not see its channel."""
        return await self._shown(uow, caller, (await visible_message(self._shard, uow, caller, message_id))[0].row)

    async def edit(
        self,
        uow: UnitOfWork,
        caller: Caller,
        message_id: str,
        *,
        text: str | msgspec.UnsetType = msgspec.UNSET,
        attachments: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET,
        custom: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET,
        user_id: str | None = None,
    ) -> MessageView:
        """Replace parts of a message's content; the same edit again changes nothing.

        The content must keep the rules of a send. Raises `NotFound`, `PermissionMissing`, `ChannelFrozen`,
        `MessageDeleted`, `InvalidInput`.
        """
        actor = await named_actor(uow, caller, user_id)
        found, before = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        own = row.user_id == caller.user_id
        before.require(Permission.MESSAGE_EDIT_OWN if own else Permission.MESSAGE_EDIT_ANY)
        if found.frozen and Permission.MESSAGE_SEND_FROZEN not in before.allowed:
            raise ChannelFrozen()
        if row.deleted_at is not None:
            raise MessageDeleted()
        content = check_content(
            row.text if text is msgspec.UNSET else text,
            row.attachments if attachments is msgspec.UNSET else attachments,
            row.custom if custom is msgspec.UNSET else custom,
        )
        if (content.text, content.attachments, content.custom) == (row.text, row.attachments, row.custom):
            return await self._shown(uow, caller, row)
        # The content's hash stays that of the send, so that a late retry of the send still finds its message.
        values = {"text": content.text, "attachments": content.attachments, "custom": content.custom}
        return await self._write(uow, caller, row, "message.updated", actor, values, at="updated_at")

    async def delete(
        self, uow: UnitOfWork, caller: Caller, message_id: str, *, user_id: str | None = None
    ) -> MessageView:
        """Delete a message: it keeps its place and number and shows no content. Deleting again changes nothing.

        Allowed in a frozen channel, too: what somebody said can be taken back. Raises `NotFound`, `PermissionMissing`.
        """
        actor = await named_actor(uow, caller, user_id)
        found, before = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        own = row.user_id == caller.user_id
        before.require(Permission.MESSAGE_DELETE_OWN if own else Permission.MESSAGE_DELETE_ANY)
        if row.deleted_at is not None:
            return await self._shown(uow, caller, row)
        shown = await self._write(uow, caller, row, "message.deleted", actor, {}, at="deleted_at")
        await PinRepository(uow.session, caller.app_id).remove(row.channel_id, row.id, self._shard.clock.now())
        return shown

    async def _write(
        self,
        uow: UnitOfWork,
        caller: Caller,
        row: MessageRow,
        type: str,
        actor: str | None,
        values: dict[str, Any],
        *,
        at: str,
    ) -> MessageView:
        now = truncate_ms(self._shard.clock.now())
        messages = MessageRepository(uow.session, caller.app_id)
        changed = await messages.change(row, values | {at: now})
        data = message_data(await self._count_replies(uow, caller, changed, type))
        entry = NewEntry(log=channel_log(row.channel_id), type=type, actor=actor, message_id=row.id, data=data)
        await self._shard.logs.append(uow, caller.app_id, [entry], at=now)
        return await self._shown(uow, caller, changed)

    async def _count_replies(self, uow: UnitOfWork, caller: Caller, row: MessageRow, type: str) -> MessageRow:
        """Let a thread count a reply that goes or comes back; the row knows its thread as it is then."""
        step = {"message.deleted": -1, "message.restored": 1}.get(type, 0)
        thread = (row.beside or {}).get("thread")
        if row.thread_id is None or thread is None or not step:
            return row
        count = thread.get("reply_count", 0) + step
        await MessageRepository(uow.session, caller.app_id).set_reply_count(row.thread_id, count)
        return msgspec.structs.replace(row, beside={**(row.beside or {}), "thread": {**thread, "reply_count": count}})

    async def _shown(self, uow: UnitOfWork, caller: Caller, row: MessageRow) -> MessageView:
        """The message as the caller sees it."""
        own = None
        if caller.user_id is not None and row.extra is not None and "reactions" in row.extra:
            own = await ReactionRepository(uow.session, caller.app_id).own(row.id, caller.user_id)
        return message_view(row, own_reactions=own)
