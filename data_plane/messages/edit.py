"""Look at single messages, and edit them."""

from datetime import timedelta
from typing import Any

import msgspec

from data_plane.channels.errors import ChannelFrozen
from data_plane.custom import check_custom
from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller, Reader
from data_plane.messages.access import locked_message, named_actor, visible_message
from data_plane.messages.change import MessageWriter, shown_to
from data_plane.messages.errors import MessageDeleted
from data_plane.messages.schemas import EditMessage, check_content
from data_plane.messages.versions import VersionRepository
from data_plane.messages.views import MessageRow, MessageView
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput


class MessageEditing:
    """Use cases on messages that exist. Writers must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def get(self, uow: UnitOfWork, reader: Reader, message_id: str) -> MessageView:
        """One message. Raises `NotFound` when the reader does not see its channel."""
        found, _ = await visible_message(self._shard, uow, reader, message_id)
        return await shown_to(uow, reader, found.row)

    async def edit(
        self,
        uow: UnitOfWork,
        caller: Caller,
        message_id: str,
        wish: EditMessage,
    ) -> MessageView:
        """Replace parts of a message's content, and keep what it said before; the same edit again changes nothing.

        The content must keep the rules of a send. Raises `NotFound`, `PermissionMissing`, `ChannelFrozen`,
        `MessageDeleted`, `InvalidInput`.
        """
        _check_fields(wish)
        actor = await named_actor(uow, caller, wish.user_id)
        found, before = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        own = row.user_id == caller.user_id
        before.require(Permission.MESSAGE_EDIT_OWN if own else Permission.MESSAGE_EDIT_ANY)
        if found.frozen and Permission.MESSAGE_SEND_FROZEN not in before.allowed:
            raise ChannelFrozen()
        if row.deleted_at is not None:
            raise MessageDeleted()
        writer = MessageWriter(self._shard, uow, caller)
        content = check_content(
            row.text if wish.text is msgspec.UNSET else wish.text,
            row.attachments if wish.attachments is msgspec.UNSET else wish.attachments,
            _custom(row, wish),
        )
        if (content.text, content.attachments, content.custom) == (row.text, row.attachments, row.custom):
            return await writer.shown(row)
        # The content's hash stays that of the send, so that a late retry of the send still finds its message.
        now = truncate_ms(self._shard.clock.now())
        values = {
            "text": content.text,
            "attachments": content.attachments,
            "custom": content.custom,
            # Never the moment of the send itself, by which an edited message is told from one that is as it was sent.
            "updated_at": max(now, row.created_at + timedelta(milliseconds=1)),
        }
        shown, seq = await writer.write(row, "message.updated", values, actor=actor, at=now)
        await VersionRepository(uow.session, caller.app_id).keep(row, seq, at=now, by=actor)
        return shown


def _check_fields(wish: EditMessage) -> None:
    """Refuse what contradicts itself."""
    if wish.custom is not msgspec.UNSET and (wish.set or wish.unset):
        raise InvalidInput("Give `custom`, or `set` and `unset`: one replaces all of it.", field="custom")
    if both := sorted(wish.set.keys() & wish.unset):
        raise InvalidInput(f"`unset` names a field that `set` gives: {both[0][:80]}.", field="unset")


def _custom(row: MessageRow, wish: EditMessage) -> dict[str, Any]:
    """The custom data as it is to be."""
    if wish.custom is not msgspec.UNSET:
        return wish.custom
    if not wish.set and not wish.unset:
        return row.custom
    return check_custom(
        {name: value for name, value in {**row.custom, **wish.set}.items() if name not in wish.unset}, field="set"
    )
