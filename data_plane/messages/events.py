"""Events about messages."""

from typing import Final

import msgspec

from data_plane.events import ClientEvent, Data, Place, ServerEvent
from data_plane.messages.schemas import MessageDeletePacket, MessageUpdatePacket
from data_plane.messages.send import MessageSendPacket
from data_plane.messages.views import MessageView, OneMessage, ThreadView


class MessageCreated(Data):
    """Data of `message.created`."""

    message: MessageView
    thread: ThreadView | msgspec.UnsetType = msgspec.UNSET
    """Of a reply: its thread as it is now."""


class MessageUpdated(MessageCreated):
    """Data of `message.updated`."""


class MessageDeleted(MessageCreated):
    """Data of `message.deleted`."""


EVENTS: Final = (
    ServerEvent("message.created", Place.CHANNEL, MessageCreated, "A message was stored."),
    ServerEvent(
        "message.updated",
        Place.CHANNEL,
        MessageUpdated,
        "Its author, or the server, changed it. The message is as it is now.",
    ),
    ServerEvent(
        "message.deleted",
        Place.CHANNEL,
        MessageDeleted,
        "It was deleted. Its place and number stay, its content is gone.",
    ),
)
CALLS: Final = (
    ClientEvent("message.send", MessageSendPacket, OneMessage, "Send a message. Answered once it is committed."),
    ClientEvent("message.update", MessageUpdatePacket, OneMessage, "Change a message; what is left out stays."),
    ClientEvent("message.delete", MessageDeletePacket, OneMessage, "Delete a message; its place and number stay."),
)
