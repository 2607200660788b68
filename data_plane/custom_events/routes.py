"""`/v1/channels/{id}/events` and `/v1/users/{id}/events`."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from data_plane.custom_events.schemas import SendEvent, SendUserEvent
from data_plane.custom_events.service import CustomEvents
from data_plane.dependencies import ANYBODY, SERVER, CallerDependency, ChannelPath, UserPath, require_scope
from data_plane.grants.errors import PermissionMissing
from data_plane.members.errors import UnknownUsers
from kernel.errors import NotFound
from kernel.http import answers

CustomEventsDependency = NamedDependency[SkipValidation[CustomEvents]]
_TAGS = ["Custom events"]


@post(
    "/v1/channels/{channel_id:str}/events",
    status_code=204,
    operation_id="sendEvent",
    summary="Send an event of your own to a channel",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((204, None, "It is on its way."), errors=(PermissionMissing, UnknownUsers)),
)
async def send_event(
    channel_id: ChannelPath, data: JSONBody[SendEvent], caller: CallerDependency, custom_events: CustomEventsDependency
) -> None:
    """Tell those who watch a channel now of something that your app has named. It is kept nowhere, and is no message:
    nobody is billed for it, and whoever is not there misses it."""
    require_scope(caller, "messages")
    await custom_events.to_channel(caller, channel_id, type=data.type, data=data.data, user_id=data.user_id)


@post(
    "/v1/users/{user_id:str}/events",
    status_code=204,
    operation_id="sendUserEvent",
    summary="Send an event of your own to a user",
    tags=_TAGS,
    security=SERVER,
    opt=answers((204, None, "It is on its way."), errors=(NotFound,)),
)
async def send_user_event(
    user_id: UserPath, data: JSONBody[SendUserEvent], caller: CallerDependency, custom_events: CustomEventsDependency
) -> None:
    """Tell a user's connections of something that your app has named, whatever they watch."""
    await custom_events.to_user(caller, user_id, type=data.type, data=data.data)


ROUTES: list[ControllerRouterHandler] = [send_event, send_user_event]
