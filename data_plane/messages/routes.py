"""History and single messages. Sending is in `http.py`."""

from typing import Annotated

from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from data_plane.channels.errors import ChannelFrozen
from data_plane.dependencies import (
    ANYBODY,
    READERS,
    CallerDependency,
    ChannelPath,
    Cursor,
    Limit,
    MessagePath,
    OptionalUser,
    ReaderDependency,
    ShardDependency,
    require_scope,
)
from data_plane.grants.errors import PermissionMissing
from data_plane.members.errors import UnknownUsers
from data_plane.messages.delete import MessageDeletion
from data_plane.messages.edit import MessageEditing
from data_plane.messages.errors import MessageDeleted, MessagePurged
from data_plane.messages.hide import MessageHiding
from data_plane.messages.history import read_history, window_of
from data_plane.messages.schemas import EditMessage, HideMessage, RestoreMessage
from data_plane.messages.versions import VersionPage, list_versions
from data_plane.messages.views import HiddenMessage, MessagePage, OneMessage
from kernel.http import answers
from kernel.ids import ID_CHARACTER

_TAGS = ["Messages"]
_FORM = rf"^([0-9]{{1,15}}|msg_[0-7]{ID_CHARACTER}{{25}})\Z"
_ANCHOR = "A message's id or a `seq`: the page holds messages {}. Give one of `before`, `after` and `around`."


def anchor(where: str) -> QueryParameter:
    """A message that a page is about."""
    return QueryParameter(max_length=64, pattern=_FORM, description=_ANCHOR.format(where))


@get(
    "/v1/channels/{channel_id:str}/messages",
    operation_id="listMessages",
    summary="Read a channel's history",
    tags=_TAGS,
    security=READERS,
    opt=answers((200, MessagePage, "A page of messages, oldest first.")),
)
async def list_messages(
    channel_id: ChannelPath,
    reader: ReaderDependency,
    shard: ShardDependency,
    limit: Limit = 50,
    before: Annotated[str | None, anchor("older than it")] = None,
    after: Annotated[str | None, anchor("newer than it")] = None,
    around: Annotated[str | None, anchor("on both sides of it, and it itself")] = None,
) -> Response[bytes]:
    """A page of messages, oldest first: the newest, or those before, after or around a message.

    Deleted messages keep their place.
    """
    require_scope(reader, "messages")
    window = window_of(limit=limit, before=before, after=after, around=around)
    return Response(await read_history(shard, reader, channel_id, window, limit), media_type="application/json")


@get(
    "/v1/messages/{message_id:str}",
    operation_id="getMessage",
    summary="Get a message",
    tags=_TAGS,
    security=READERS,
    opt=answers((200, OneMessage, "The message.")),
)
async def get_message(message_id: MessagePath, reader: ReaderDependency, shard: ShardDependency) -> OneMessage:
    """One message of a channel that you see; a server gets any."""
    require_scope(reader, "messages")
    async with shard.unit_of_work(reader.app_id, read_only=True) as uow:
        return {"message": await MessageEditing(shard).get(uow, reader, message_id)}


@patch(
    "/v1/messages/{message_id:str}",
    operation_id="editMessage",
    summary="Edit a message",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (200, OneMessage, "The message as it is now."),
        errors=(PermissionMissing, ChannelFrozen, MessageDeleted, UnknownUsers),
    ),
)
async def edit_message(
    message_id: MessagePath, data: JSONBody[EditMessage], caller: CallerDependency, shard: ShardDependency
) -> OneMessage:
    """Replace parts of a message's content. What is left out stays; the same edit again changes nothing.

    `custom` replaces all of the custom data, `set` and `unset` fields of it. What the message said before is kept, see
    `GET /v1/messages/{message_id}/versions`.

    Needs `message.edit.own`, or `message.edit.any` where it is somebody else's.
    """
    require_scope(caller, "messages")
    async with shard.unit_of_work(caller.app_id) as uow:
        message = await MessageEditing(shard).edit(uow, caller, message_id, data)
    return {"message": message}


@delete(
    "/v1/messages/{message_id:str}",
    status_code=200,
    operation_id="deleteMessage",
    summary="Delete a message",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, OneMessage, "What is left of the message."), errors=(PermissionMissing, UnknownUsers)),
)
async def delete_message(
    message_id: MessagePath,
    caller: CallerDependency,
    shard: ShardDependency,
    user_id: OptionalUser = None,
    hard: Annotated[bool, QueryParameter(description="For good: nobody can restore it.")] = False,
) -> OneMessage:
    """Delete a message: its place and number stay, its content is gone. Deleting again changes nothing.

    Whoever may can restore it. With `hard` its content, what it said before and its reactions are gone from the
    database, too. Needs `message.delete.own`, or `message.delete.any` where it is somebody else's; with `hard`
    `message.purge.own` or `message.purge.any`; also in a frozen channel.
    """
    require_scope(caller, "messages")
    async with shard.unit_of_work(caller.app_id) as uow:
        message = await MessageDeletion(shard).delete(uow, caller, message_id, hard=hard, user_id=user_id)
    return {"message": message}


@post(
    "/v1/messages/{message_id:str}/restore",
    status_code=200,
    operation_id="restoreMessage",
    summary="Restore a deleted message",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (200, OneMessage, "The message as it is now."),
        errors=(PermissionMissing, ChannelFrozen, MessagePurged, UnknownUsers),
    ),
)
async def restore_message(
    message_id: MessagePath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[RestoreMessage | None] = None,
) -> OneMessage:
    """Bring a deleted message back, in its place, with what it said and said before, but without its reactions.

    Needs `message.restore.own` where the caller has written and deleted it, else `message.restore.any`. A message that
    is there is no error.
    """
    require_scope(caller, "messages")
    wish = data or RestoreMessage()
    async with shard.unit_of_work(caller.app_id) as uow:
        message = await MessageDeletion(shard).restore(uow, caller, message_id, user_id=wish.user_id)
    return {"message": message}


@post(
    "/v1/messages/{message_id:str}/hide",
    status_code=200,
    operation_id="hideMessage",
    summary="Delete a message for oneself",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, HiddenMessage, "What was hidden.")),
)
async def hide_message(
    message_id: MessagePath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[HideMessage | None] = None,
) -> HiddenMessage:
    """Delete a message for oneself alone: on none of one's devices it is in history, threads, what is unread.

    Members may; others see it as before. It does not come back, unless one leaves the channel and joins again. To say
    it again changes nothing.
    """
    require_scope(caller, "messages")
    wish = data or HideMessage()
    async with shard.unit_of_work(caller.app_id) as uow:
        return await MessageHiding(shard).hide(uow, caller, message_id, user_id=wish.user_id)


@get(
    "/v1/messages/{message_id:str}/versions",
    operation_id="listVersions",
    summary="List what a message said before",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, VersionPage, "A page of earlier versions."), errors=(PermissionMissing, MessageDeleted)),
)
async def get_versions(
    message_id: MessagePath,
    caller: CallerDependency,
    shard: ShardDependency,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> VersionPage:
    """What a message said before it was edited, the latest first: each edit keeps what it replaced, up to 100 of them.

    Needs `message.versions.own`, or `message.versions.any` where it is somebody else's.
    """
    require_scope(caller, "messages")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return await list_versions(shard, uow, caller, message_id, limit=limit, cursor=cursor)


ROUTES: list[ControllerRouterHandler] = [
    list_messages,
    get_message,
    edit_message,
    delete_message,
    restore_message,
    hide_message,
    get_versions,
]
