"""REST: positions, unread counts, receipts."""

from typing import Any

from litestar import Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import (
    ANYBODY,
    CallerDependency,
    ChannelPath,
    Cursor,
    Limit,
    MessagePath,
    OptionalUser,
    ShardDependency,
    UserPath,
    require_scope,
)
from data_plane.idempotency import Answer, IdempotencyConflict, IdempotencyKey, once, request_key
from data_plane.receipts.schemas import MarkRead, MarkUnread, PutPrivacy, ReadEverything
from data_plane.receipts.service import ReceiptService, ReceiptsOff
from data_plane.receipts.views import (
    DeliveredPosition,
    MessageReceipts,
    Privacy,
    ReadAll,
    ReadPosition,
    ReceiptPage,
    Unread,
)
from kernel.errors import NotFound
from kernel.http import answers

ReceiptsDependency = NamedDependency[SkipValidation[ReceiptService]]
_TAGS = ["Receipts"]


@post(
    "/v1/channels/{channel_id:str}/read",
    status_code=200,
    operation_id="markRead",
    summary="Mark a channel read",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ReadPosition, "The position as it is now."), errors=(IdempotencyConflict,)),
)
async def mark_read(
    request: Request[Any, Any, Any],
    channel_id: ChannelPath,
    caller: CallerDependency,
    shard: ShardDependency,
    receipts: ReceiptsDependency,
    data: JSONBody[MarkRead | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Mark a channel read up to a message, or entirely. The position never goes back."""
    require_scope(caller, "messages")
    wish = data or MarkRead()

    async def work() -> Answer:
        position = await receipts.mark_read(
            caller, channel_id, number=wish.number, message_id=wish.message_id, user_id=wish.user_id
        )
        return Answer(200, position)

    key = await request_key(request, idempotency_key)
    if key is None:
        return (await work()).response()
    # The position is committed with others'; a crash before the answer is kept lets the same be done again.
    async with shard.unit_of_work(caller.app_id) as uow:
        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


@post(
    "/v1/channels/{channel_id:str}/unread",
    status_code=200,
    operation_id="markUnread",
    summary="Mark messages unread",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ReadPosition, "The position as it is now.")),
)
async def mark_unread(
    channel_id: ChannelPath, data: JSONBody[MarkUnread], caller: CallerDependency, receipts: ReceiptsDependency
) -> ReadPosition:
    """Mark a message and all after it unread: the one way for a read position to go back."""
    require_scope(caller, "messages")
    return await receipts.mark_unread(
        caller, channel_id, number=data.number, message_id=data.message_id, user_id=data.user_id
    )


@post(
    "/v1/channels/{channel_id:str}/delivered",
    status_code=200,
    operation_id="markDelivered",
    summary="Say that messages have arrived",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, DeliveredPosition, "The position as it is now.")),
)
async def mark_delivered(
    channel_id: ChannelPath,
    caller: CallerDependency,
    receipts: ReceiptsDependency,
    data: JSONBody[MarkRead | None] = None,
) -> DeliveredPosition:
    """Say that messages up to one, or all, have reached a device of the user. The position never goes back."""
    require_scope(caller, "messages")
    wish = data or MarkRead()
    return await receipts.mark_delivered(
        caller, channel_id, number=wish.number, message_id=wish.message_id, user_id=wish.user_id
    )


@post(
    "/v1/read",
    status_code=200,
    operation_id="readAll",
    summary="Mark everything read",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ReadAll, "The channels whose position moved.")),
)
async def read_all(
    caller: CallerDependency, receipts: ReceiptsDependency, data: JSONBody[ReadEverything | None] = None
) -> ReadAll:
    """Mark all channels of a user read, or those of a type; up to 500 in one call."""
    require_scope(caller, "messages")
    wish = data or ReadEverything()
    return await receipts.read_all(caller, type=wish.type, user_id=wish.user_id)


@get(
    "/v1/unread",
    operation_id="getUnread",
    summary="Count what is unread",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, Unread, "What the user has not read.")),
)
async def get_unread(
    caller: CallerDependency,
    receipts: ReceiptsDependency,
    limit: Limit = 25,
    cursor: Cursor = None,
    user_id: OptionalUser = None,
) -> Unread:
    """How many messages a user has not read: in all, by type of channel, and by channel; how many of them mention it;
    and how many replies in its threads."""
    require_scope(caller, "messages")
    return await receipts.unread(caller, user_id=user_id, limit=limit, cursor=cursor)


@get(
    "/v1/channels/{channel_id:str}/receipts",
    operation_id="listReceipts",
    summary="List how far members have read",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ReceiptPage, "A page of members."), errors=(ReceiptsOff,)),
)
async def list_receipts(
    channel_id: ChannelPath,
    caller: CallerDependency,
    receipts: ReceiptsDependency,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ReceiptPage:
    """How far each member has read, and how far messages have reached it, by user id; in channels of any size."""
    require_scope(caller, "messages")
    return await receipts.receipts(caller, channel_id, limit=limit, cursor=cursor)


@get(
    "/v1/messages/{message_id:str}/receipts",
    operation_id="listReaders",
    summary="List who has read a message",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, MessageReceipts, "Who has read it, or how many."), errors=(ReceiptsOff,)),
)
async def list_readers(
    message_id: MessagePath,
    caller: CallerDependency,
    receipts: ReceiptsDependency,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MessageReceipts:
    """Who has read a message and how many received it; in a channel of more than 100 members, numbers alone."""
    require_scope(caller, "messages")
    return await receipts.of_message(caller, message_id, limit=limit, cursor=cursor)


@get(
    "/v1/users/{user_id:str}/privacy",
    operation_id="getPrivacy",
    summary="Get what a user shows",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, Privacy, "What the user shows."), errors=(NotFound,)),
)
async def get_privacy(user_id: UserPath, caller: CallerDependency, receipts: ReceiptsDependency) -> Privacy:
    """Whether others see what a user reads and receives. A user's own; a server gets anybody's."""
    require_scope(caller, "users")
    return await receipts.privacy(caller, user_id)


@put(
    "/v1/users/{user_id:str}/privacy",
    operation_id="putPrivacy",
    summary="Choose what a user shows",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, Privacy, "What the user shows now."), errors=(NotFound,)),
)
async def put_privacy(
    user_id: UserPath, data: JSONBody[PutPrivacy], caller: CallerDependency, receipts: ReceiptsDependency
) -> Privacy:
    """Choose whether others see what a user reads and receives. What is left out stays."""
    require_scope(caller, "users")
    return await receipts.put_privacy(caller, user_id, data)


ROUTES: list[ControllerRouterHandler] = [
    mark_read, mark_unread, mark_delivered, read_all, get_unread, list_receipts, list_readers, get_privacy, put_privacy,
]  # fmt: skip
