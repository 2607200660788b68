"""`POST /v1/channels/{id}/messages`."""

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from data_plane.blocks.errors import Blocked
from data_plane.channels.errors import ChannelFrozen
from data_plane.dependencies import ANYBODY, CallerDependency, ChannelPath, require_scope
from data_plane.grants.errors import PermissionMissing
from data_plane.messages.errors import ChannelSlow, MessageDeleted, MessageIdTaken, NestedReply
from data_plane.messages.flush import Overloaded
from data_plane.messages.send import SendMessage, SendService
from data_plane.messages.views import OneMessage
from kernel.http import answers


@post(
    "/v1/channels/{channel_id:str}/messages",
    operation_id="sendMessage",
    summary="Send a message",
    tags=["Messages"],
    security=ANYBODY,
    opt=answers(
        (201, OneMessage, "The message was stored now."),
        (200, OneMessage, "Its id was stored before; this is the message as it is now."),
        errors=(
            MessageIdTaken,
            PermissionMissing,
            ChannelFrozen,
            ChannelSlow,
            Blocked,
            NestedReply,
            MessageDeleted,
            Overloaded,
        ),
    ),
)
async def send_message(
    channel_id: ChannelPath,
    data: JSONBody[SendMessage],
    caller: CallerDependency,
    send_service: NamedDependency[SkipValidation[SendService]],
) -> Response[OneMessage]:
    """Send a message as a user who has `message.send` in the channel. The answer means that it is committed.

    Make the `id` yourself (UUIDv7) and the request is safe to send again: the same id with the same content is answered
    with the message that was stored, once. It needs `text` that is not blank, or an attachment.
    """
    require_scope(caller, "messages")
    sent = await send_service.send(caller, channel_id, data)
    return Response(OneMessage(message=sent.message), status_code=201 if sent.created else 200)


ROUTES: list[ControllerRouterHandler] = [send_message]
