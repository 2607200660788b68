"""Events about messages."""

from typing import Final

import msgspec

from data_plane.events import ClientEvent, Data, Place, ServerEvent
from data_plane.messages.schemas import (
    MessageDeletePacket,
    MessageHidePacket,
    MessageRestorePacket,
    MessageUpdatePacket,
)
from data_plane.messages.send import MessageSendPacket
from data_plane.messages.views import HiddenMessage, MessageView, OneMessage, ThreadView


class MessageCreated(Data):
    """Data of `message.created`."""

    message: MessageView
    thread: ThreadView | msgspec.UnsetType = msgspec.UNSET
    """Of a reply: its thread as it is now."""


class MessageUpdated(MessageCreated):
    """Data of `message.updated`."""


class MessageDeleted(MessageCreated):
    """Data of `message.deleted`."""


class MessageRestored(MessageCreated):
    """Data of `message.restored`."""


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
        "It was deleted. Its place and number stay, its content is gone; with `purged` for good. Who reads the event "
        "later sees the message as it is then: `deleted_at` is null where it was restored since.",
    ),
    ServerEvent(
        "message.restored",
        Place.CHANNEL,
        MessageRestored,
        "A deleted message is there again, with what it said and without the reactions that it had.",
    ),
    ServerEvent(
        "message.hidden",
        Place.USER,
        HiddenMessage,
        "You have deleted a message for yourself, on any of your devices. Drop it, and what events still say of it.",
    ),
)
CALLS: Final = (
    ClientEvent("message.send", MessageSendPacket, OneMessage, "Send a message. Answered once it is committed."),
    ClientEvent(
        "message.update",
        MessageUpdatePacket,
        OneMessage,
        "Change a message; what is left out stays, what it said is kept.",
    ),
    ClientEvent("message.delete", MessageDeletePacket, OneMessage, "Delete a message; its place and number stay."),
    ClientEvent("message.restore", MessageRestorePacket, OneMessage, "Bring a deleted message back."),
    ClientEvent("message.hide", MessageHidePacket, HiddenMessage, "Delete a message for oneself alone."),
)
