"""`/v1/messages/{id}/pin` and `/v1/channels/{id}/pins`."""

from litestar import Response, delete, get, put
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from data_plane.blocks.errors import Blocked
from data_plane.channels.errors import ChannelFrozen
from data_plane.dependencies import (
    ANYBODY,
    READERS,
    CallerDependency,
    ChannelPath,
    MessagePath,
    OptionalUser,
    ReaderDependency,
    ShardDependency,
    require_scope,
)
from data_plane.grants.errors import PermissionMissing
from data_plane.idempotency import Answer
from data_plane.members.errors import UnknownUsers
from data_plane.messages.errors import MessageDeleted
from data_plane.pins.errors import TooManyPinned
from data_plane.pins.schemas import PinMessage
from data_plane.pins.service import Pins
from data_plane.pins.views import OnePin, PinList
from kernel.http import answers

_TAGS = ["Pins"]


@put(
    "/v1/messages/{message_id:str}/pin",
    operation_id="pinMessage",
    summary="Pin a message",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (201, OnePin, "It is pinned, or its pin has another end now."),
        (200, OnePin, "It was pinned so already."),
        errors=(PermissionMissing, ChannelFrozen, Blocked, MessageDeleted, TooManyPinned, UnknownUsers),
    ),
)
async def pin_message(
    message_id: MessagePath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[PinMessage | None] = None,
) -> Response[bytes]:
    """Pin a message in its channel, for good or until a moment. Needs `message.pin`; not in a frozen channel.

    A channel has at most 50 pinned. Whoever pins a pinned message again with another end becomes the one who pinned it.
    """
    require_scope(caller, "messages")
    wish = data or PinMessage()
    async with shard.unit_of_work(caller.app_id) as uow:
        pin, fresh = await Pins(shard).pin(uow, caller, message_id, expires_at=wish.expires_at, user_id=wish.user_id)
    return Answer(201 if fresh else 200, OnePin(pin=pin)).response()


@delete(
    "/v1/messages/{message_id:str}/pin",
    status_code=204,
    operation_id="unpinMessage",
    summary="Unpin a message",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((204, None, "It is pinned no more."), errors=(PermissionMissing, UnknownUsers)),
)
async def unpin_message(
    message_id: MessagePath, caller: CallerDependency, shard: ShardDependency, user_id: OptionalUser = None
) -> None:
    """Take a pin away, whether it was there or not; also in a frozen channel. Needs `message.pin`."""
    require_scope(caller, "messages")
    async with shard.unit_of_work(caller.app_id) as uow:
        await Pins(shard).unpin(uow, caller, message_id, user_id=user_id)


@get(
    "/v1/channels/{channel_id:str}/pins",
    operation_id="listPins",
    summary="List what a channel has pinned",
    tags=_TAGS,
    security=READERS,
    opt=answers((200, PinList, "What is pinned now.")),
)
async def list_pins(channel_id: ChannelPath, reader: ReaderDependency, shard: ShardDependency) -> PinList:
    """All that is pinned now and you see, at most 50, each with its message; what was pinned last first."""
    require_scope(reader, "messages")
    async with shard.unit_of_work(reader.app_id, read_only=True) as uow:
        return await Pins(shard).all_of(uow, reader, channel_id)


ROUTES: list[ControllerRouterHandler] = [pin_message, unpin_message, list_pins]
