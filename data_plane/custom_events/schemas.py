"""Bodies and packets of events of an app's own."""

from typing import Annotated, Any

import msgspec

from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.messages.schemas import ChannelId

EventType = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\Z", max_length=64)]
"""What the app calls it, such as `poll.opened`."""


class SendUserEvent(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/users/{id}/events`."""

    type: EventType
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class SendEvent(SendUserEvent, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/events`. `user_id`: for a server to name whose event it is; without, nobody's."""

    user_id: CustomerId | None = None


class EventPacket(SendUserEvent, frozen=True, kw_only=True):
    """Packet of `event.send`."""

    channel_id: ChannelId
