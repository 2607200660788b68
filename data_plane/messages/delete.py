"""Delete messages, for now or for good, and restore those that are deleted for now."""

from data_plane.channels.errors import ChannelFrozen
from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller
from data_plane.messages.access import locked_message, named_actor
from data_plane.messages.change import MessageWriter
from data_plane.messages.errors import MessagePurged
from data_plane.messages.jobs import forget_entries
from data_plane.messages.repository import MessageRepository
from data_plane.messages.views import MessageRow, MessageView
from data_plane.pins.repository import PinRepository
from data_plane.reactions.repository import ReactionRepository
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork


class MessageDeletion:
    """The use cases. They must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def delete(
        self, uow: UnitOfWork, caller: Caller, message_id: str, *, hard: bool = False, user_id: str | None = None
    ) -> MessageView:
        """Delete a message: it keeps its place and number and shows no content. Deleting again changes nothing.

        With `hard` nothing of its content is kept, and it cannot be restored; a deleted message can be deleted so, too.
        Allowed in a frozen channel, too: what somebody said can be taken back. Raises `NotFound`, `PermissionMissing`.
        """
        actor = await named_actor(uow, caller, user_id)
        found, before = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        own = row.user_id == caller.user_id
        if hard:
            before.require(Permission.MESSAGE_PURGE_OWN if own else Permission.MESSAGE_PURGE_ANY)
        else:
            before.require(Permission.MESSAGE_DELETE_OWN if own else Permission.MESSAGE_DELETE_ANY)
        writer = MessageWriter(self._shard, uow, caller)
        if is_purged(row) or (row.deleted_at is not None and not hard):
            return await writer.shown(row)
        now = truncate_ms(self._shard.clock.now())
        messages = MessageRepository(uow.session, caller.app_id)
        if hard:
            changed = await messages.purge(row, now)
            await forget_entries(self._shard, uow, caller.app_id, row, now)
        else:
            # Whether its author has deleted it decides whether its author may restore it.
            marked = row.with_extra(deleted_by=row.user_id if actor == row.user_id else None)
            changed = await messages.change(marked, {"deleted_at": now, "extra": marked.extra})
        replies = 0
        if row.deleted_at is None:
            replies = -1
            await PinRepository(uow.session, caller.app_id).remove(row.channel_id, row.id, now)
        return (await writer.tell(changed, "message.deleted", actor=actor, at=now, replies=replies))[0]

    async def restore(
        self, uow: UnitOfWork, caller: Caller, message_id: str, *, user_id: str | None = None
    ) -> MessageView:
        """Bring a deleted message back, without the reactions that it had: which of them were one's own, no event could
        tell. A message that is there is no change.

        Raises `NotFound`, `PermissionMissing`, `ChannelFrozen`, `MessagePurged`.
        """
        actor = await named_actor(uow, caller, user_id)
        found, before = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        by_author = (row.extra or {}).get("deleted_by") == row.user_id or row.deleted_at is None
        own = row.user_id == caller.user_id and by_author
        before.require(Permission.MESSAGE_RESTORE_OWN if own else Permission.MESSAGE_RESTORE_ANY)
        if found.frozen and Permission.MESSAGE_SEND_FROZEN not in before.allowed:
            raise ChannelFrozen()
        if is_purged(row):
            raise MessagePurged()
        writer = MessageWriter(self._shard, uow, caller)
        if row.deleted_at is None:
            return await writer.shown(row)
        now = truncate_ms(self._shard.clock.now())
        if "reactions" in (row.extra or {}):
            await ReactionRepository(uow.session, caller.app_id).forget(row.id)
        plain = row.with_extra(deleted_by=None, reactions=None)
        messages = MessageRepository(uow.session, caller.app_id)
        changed = await messages.change(plain, {"deleted_at": None, "extra": plain.extra})
        return (await writer.tell(changed, "message.restored", actor=actor, at=now, replies=1))[0]


def is_purged(row: MessageRow) -> bool:
    """Whether a message was deleted for good."""
    return bool((row.extra or {}).get("purged"))
