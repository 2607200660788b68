"""`POST /v1/channels/{id}/messages`."""

from typing import Any

from litestar import Response, post

from data_plane.dependencies import CallerDependency
from data_plane.messages.send import SendMessage, SendService


@post("/v1/channels/{channel_id:str}/messages")
async def send_message(
    channel_id: str, data: SendMessage, caller: CallerDependency, send_service: SendService
) -> Response[dict[str, Any]]:
    """Send a message: 201 when it was stored now, 200 with the original when its id was stored before."""
    sent = await send_service.send(caller, channel_id, data)
    return Response({"message": sent.message}, status_code=201 if sent.created else 200)


ROUTES = [send_message]
