"""Look at, edit and delete single messages."""

from typing import Any

import msgspec

from data_plane.channels.errors import ChannelFrozen
from data_plane.grants.permissions import Permission
from data_plane.grants.standing import Sight, sight, standing_of
from data_plane.identity.caller import Caller
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.members.errors import UnknownUsers
from data_plane.members.repository import MemberRepository
from data_plane.messages.errors import MessageDeleted, no_message
from data_plane.messages.repository import FoundMessage, MessageRepository
from data_plane.messages.schemas import check_content
from data_plane.messages.views import MessageRow, MessageView, message_view
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.ids import parse_id


class MessageEditing:
    """Use cases on messages that exist. Writers must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def get(self, uow: UnitOfWork, caller: Caller, message_id: str) -> MessageView:
        """One message. Raises `NotFound` when the caller does not see its channel."""
        return message_view((await self._visible(uow, caller, message_id))[0].row)

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
        actor = await self._actor(uow, caller, user_id)
        found, before = await self._locked(uow, caller, message_id)
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
            return message_view(row)
        # The content's hash stays that of the send, so that a late retry of the send still finds its message.
        values = {"text": content.text, "attachments": content.attachments, "custom": content.custom}
        return await self._write(uow, caller, row, "message.updated", actor, values, at="updated_at")

    async def delete(
        self, uow: UnitOfWork, caller: Caller, message_id: str, *, user_id: str | None = None
    ) -> MessageView:
        """Delete a message: it keeps its place and number and shows no content. Deleting again changes nothing.

        Allowed in a frozen channel, too: what somebody said can be taken back. Raises `NotFound`, `PermissionMissing`.
        """
        actor = await self._actor(uow, caller, user_id)
        found, before = await self._locked(uow, caller, message_id)
        row = found.row
        own = row.user_id == caller.user_id
        before.require(Permission.MESSAGE_DELETE_OWN if own else Permission.MESSAGE_DELETE_ANY)
        if row.deleted_at is not None:
            return message_view(row)
        return await self._write(uow, caller, row, "message.deleted", actor, {}, at="deleted_at")

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
        view = message_view(await messages.change(row, values | {at: now}))
        entry = NewEntry(
            log=channel_log(row.channel_id), type=type, actor=actor, message_id=row.id, data={"message": view}
        )
        await self._shard.logs.append(uow, caller.app_id, [entry], at=now)
        return view

    async def _visible(self, uow: UnitOfWork, caller: Caller, message_id: str) -> tuple[FoundMessage, Sight]:
        """The message, and the caller before its channel."""
        messages = MessageRepository(uow.session, caller.app_id)
        found = await messages.find(parse_id("msg", message_id), caller.user_id)
        if found is None:
            raise no_message()
        before = sight(await standing_of(self._shard, uow, caller), found, found.role)
        if found.role is None and Permission.CHANNEL_WATCH not in before.allowed:
            raise no_message()
        return found, before

    async def _locked(self, uow: UnitOfWork, caller: Caller, message_id: str) -> tuple[FoundMessage, Sight]:
        """The message as it is under its channel's lock."""
        # A message never moves, so the channel that is read without the lock is the one to lock.
        channel_id = (await self._visible(uow, caller, message_id))[0].row.channel_id
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id)])
        return await self._visible(uow, caller, message_id)

    async def _actor(self, uow: UnitOfWork, caller: Caller, user_id: str | None) -> str | None:
        """Who is named as having done it: the user, the one that a server names, or nobody."""
        if user_id is None:
            return caller.user_id
        actor = caller.acting_as(user_id)
        if caller.is_server and await MemberRepository(uow.session, caller.app_id).unknown_users([actor]):
            raise UnknownUsers.of([actor], field="user_id")
        return actor
