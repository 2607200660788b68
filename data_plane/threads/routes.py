"""`/v1/messages/{id}/replies`, `/v1/messages/{id}/thread/read` and `/v1/threads`."""

from typing import Annotated

from litestar import Response, get, put
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import (
    ANYBODY,
    READERS,
    CallerDependency,
    Cursor,
    Limit,
    MessagePath,
    OptionalUser,
    ReaderDependency,
    ShardDependency,
    require_scope,
)
from data_plane.messages.history import window_of
from data_plane.messages.routes import anchor
from data_plane.messages.views import MessagePage
from data_plane.threads.schemas import ReadThread
from data_plane.threads.service import Threads
from data_plane.threads.views import ThreadPage, ThreadPosition
from kernel.http import answers

_TAGS = ["Threads"]


@get(
    "/v1/messages/{message_id:str}/replies",
    operation_id="listReplies",
    summary="Read a thread",
    tags=_TAGS,
    security=READERS,
    opt=answers((200, MessagePage, "A page of replies, oldest first.")),
)
async def list_replies(
    message_id: MessagePath,
    reader: ReaderDependency,
    shard: ShardDependency,
    limit: Limit = 50,
    before: Annotated[str | None, anchor("older than it")] = None,
    after: Annotated[str | None, anchor("newer than it")] = None,
    around: Annotated[str | None, anchor("on both sides of it, and it itself")] = None,
) -> Response[bytes]:
    """A page of the replies to a message, oldest first: the newest, or those before, after or around one of them."""
    require_scope(reader, "messages")
    window = window_of(limit=limit, before=before, after=after, around=around)
    async with shard.unit_of_work(reader.app_id, read_only=True) as uow:
        body = await Threads(shard).replies(uow, reader, message_id, window, limit)
    return Response(body, media_type="application/json")


@get(
    "/v1/threads",
    operation_id="listThreads",
    summary="List one's threads",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ThreadPage, "A page of threads.")),
)
async def list_threads(
    caller: CallerDependency,
    shard: ShardDependency,
    limit: Limit = 50,
    cursor: Cursor = None,
    user_id: OptionalUser = None,
) -> ThreadPage:
    """The threads that a user takes part in (it began one, replied, or was mentioned), with what is unread in each; the
    one with the latest reply first."""
    require_scope(caller, "messages")
    user = caller.acting_as(user_id)
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return await Threads(shard).page(uow, user, caller.app_id, limit=limit, cursor=cursor)


@put(
    "/v1/messages/{message_id:str}/thread/read",
    status_code=200,
    operation_id="markThreadRead",
    summary="Mark a thread read",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ThreadPosition, "The position as it is now.")),
)
async def mark_thread_read(
    message_id: MessagePath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[ReadThread | None] = None,
) -> ThreadPosition:
    """Mark a thread that one takes part in read, up to a reply or entirely. The position never goes back."""
    require_scope(caller, "messages")
    wish = data or ReadThread()
    async with shard.unit_of_work(caller.app_id) as uow:
        return await Threads(shard).mark_read(uow, caller, message_id, reply_id=wish.reply_id, user_id=wish.user_id)


ROUTES: list[ControllerRouterHandler] = [list_replies, list_threads, mark_thread_read]
