"""`POST /v1/channels/{id}/messages`."""

from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import CallerDependency, require_scope
from data_plane.messages.send import SendMessage, SendService


@post("/v1/channels/{channel_id:str}/messages")
async def send_message(
    channel_id: FromPath[str],
    data: JSONBody[SendMessage],
    caller: CallerDependency,
    send_service: NamedDependency[SkipValidation[SendService]],
) -> Response[dict[str, Any]]:
    """Send a message: 201 when it was stored now, 200 with the original when its id was stored before."""
    require_scope(caller, "messages")
    sent = await send_service.send(caller, channel_id, data)
    return Response({"message": sent.message}, status_code=201 if sent.created else 200)


ROUTES: list[ControllerRouterHandler] = [send_message]
