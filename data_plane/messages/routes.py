"""History, single messages and read positions. Sending is in `http.py`."""

from typing import Annotated, Any

import orjson
from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import CallerDependency, Limit, OptionalUser, ShardDependency, require_scope
from data_plane.idempotency import Answer, once, request_key
from data_plane.messages.edit import MessageEditing
from data_plane.messages.history import read_history
from data_plane.messages.read import Reading
from data_plane.messages.schemas import EditMessage, MarkRead

Anchor = Annotated[str | None, QueryParameter(max_length=64)]


@get("/v1/channels/{channel_id:str}/messages")
async def list_messages(
    channel_id: FromPath[str],
    caller: CallerDependency,
    shard: ShardDependency,
    limit: Limit = 50,
    before: Anchor = None,
    after: Anchor = None,
    around: Anchor = None,
) -> Response[bytes]:
    """A page of messages, oldest first: the newest, or those before, after or around a message id or a seq."""
    require_scope(caller, "messages")
    page = await read_history(shard, caller, channel_id, limit=limit, before=before, after=after, around=around)
    return Response(orjson.dumps(page), media_type="application/json")


@get("/v1/messages/{message_id:str}")
async def get_message(message_id: FromPath[str], caller: CallerDependency, shard: ShardDependency) -> dict[str, Any]:
    """One message."""
    require_scope(caller, "messages")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return {"message": await MessageEditing(shard).get(uow, caller, message_id)}


@patch("/v1/messages/{message_id:str}")
async def edit_message(
    message_id: FromPath[str], data: JSONBody[EditMessage], caller: CallerDependency, shard: ShardDependency
) -> dict[str, Any]:
    """Replace parts of a message's content."""
    require_scope(caller, "messages")
    async with shard.unit_of_work(caller.app_id) as uow:
        message = await MessageEditing(shard).edit(
            uow,
            caller,
            message_id,
            text=data.text,
            attachments=data.attachments,
            custom=data.custom,
            user_id=data.user_id,
        )
    return {"message": message}


@delete("/v1/messages/{message_id:str}", status_code=200)
async def delete_message(
    message_id: FromPath[str], caller: CallerDependency, shard: ShardDependency, user_id: OptionalUser = None
) -> dict[str, Any]:
    """Delete a message; answers what is left of it."""
    require_scope(caller, "messages")
    async with shard.unit_of_work(caller.app_id) as uow:
        message = await MessageEditing(shard).delete(uow, caller, message_id, user_id=user_id)
    return {"message": message}


@post("/v1/channels/{channel_id:str}/read", status_code=200)
async def mark_read(
    request: Request[Any, Any, Any],
    channel_id: FromPath[str],
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[MarkRead | None] = None,
) -> Response[bytes]:
    """Mark a channel read, up to a message or entirely."""
    require_scope(caller, "messages")
    wish = data or MarkRead()
    key = await request_key(request)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            moved = await Reading(shard).mark_read(
                uow,
                caller,
                channel_id,
                number=wish.number,
                message_id=wish.message_id,
                user_id=wish.user_id,
            )
            return Answer(200, moved)

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


ROUTES: list[ControllerRouterHandler] = [list_messages, get_message, edit_message, delete_message, mark_read]
