"""Events about pins, in the channel's log."""

from typing import Final

from data_plane.events import ClientEvent, Data, Nothing, Place, ServerEvent
from data_plane.pins.schemas import MessagePinPacket, MessageUnpinPacket
from data_plane.pins.views import OnePin
from data_plane.views import Timestamp


class MessagePinned(Data):
    """Data of `message.pinned`."""

    message_id: str
    message_seq: int
    pinned_by: str | None
    pinned_at: Timestamp
    expires_at: Timestamp | None
    """From when on it is pinned no more; no event says so then."""


class MessageUnpinned(Data):
    """Data of `message.unpinned`."""

    message_id: str
    message_seq: int


EVENTS: Final = (
    ServerEvent(
        "message.pinned",
        Place.CHANNEL,
        MessagePinned,
        "A message was pinned, or its pin has another end. Messages that go lose their pin without a word.",
    ),
    ServerEvent("message.unpinned", Place.CHANNEL, MessageUnpinned, "A message is pinned no more."),
)
CALLS: Final = (
    ClientEvent("message.pin", MessagePinPacket, OnePin, "Pin a message in its channel, for good or until a moment."),
    ClientEvent("message.unpin", MessageUnpinPacket, Nothing, "Take a pin away."),
)
