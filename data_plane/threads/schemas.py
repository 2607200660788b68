"""Bodies and packets about threads."""

from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.messages.schemas import MessageId


class ReadThread(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/messages/{id}/thread/read`: up to a reply, or all of it. `user_id`: for a server to name."""

    reply_id: MessageId | None = None
    user_id: CustomerId | None = None


class ThreadReadPacket(Payload, frozen=True, kw_only=True):
    """Packet of `thread.read`: up to a reply, or all of it."""

    message_id: MessageId
    reply_id: MessageId | None = None
