"""Events about who types."""

from typing import Final

from data_plane.events import ClientEvent, Data, Nothing, Place, ServerEvent
from data_plane.typing.socket import TypingPacket


class TypingStarted(Data):
    """Data of `typing.started`."""

    user_id: str


class TypingStopped(Data):
    """Data of `typing.stopped`."""

    user_id: str


EVENTS: Final = (
    ServerEvent(
        "typing.started",
        Place.PASSING,
        TypingStarted,
        "Somebody types. It means nothing any more after 6 s without another.",
    ),
    ServerEvent("typing.stopped", Place.PASSING, TypingStopped, "They have stopped."),
)
CALLS: Final = (
    ClientEvent("typing.start", TypingPacket, Nothing, "Say that you type: at every key, or every few seconds."),
    ClientEvent("typing.stop", TypingPacket, Nothing, "Say that you have stopped without sending."),
)
