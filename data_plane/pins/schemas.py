"""Bodies and packets about pins."""

from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.messages.schemas import MessageId
from data_plane.moments import Moment


class PinMessage(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/messages/{id}/pin`. `expires_at`: until when, null for good. `user_id`: who pins, for a server
    to name; without, nobody."""

    expires_at: Moment | None = None
    user_id: CustomerId | None = None


class MessagePinPacket(Payload, frozen=True, kw_only=True):
    """Packet of `message.pin`."""

    message_id: MessageId
    expires_at: Moment | None = None


class MessageUnpinPacket(Payload, frozen=True, kw_only=True):
    """Packet of `message.unpin`."""

    message_id: MessageId
