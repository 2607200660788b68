"""Events about who types."""

from typing import Final, Literal

from data_plane.events import ClientEvent, Data, Nothing, Place, ServerEvent
from data_plane.typing.socket import TypingPacket


class TypingStarted(Data):
    """Data of `typing.started`."""

    user_id: str
    thread_id: str | None
    """The thread that it types in; null for the channel itself."""


class TypingStopped(Data):
    """Data of `typing.stopped`."""

    user_id: str
    thread_id: str | None


class TypingCounted(Data):
    """Data of `typing.counted`."""

    aggregated: Literal[True]
    count: int
    thread_id: str | None


EVENTS: Final = (
    ServerEvent(
        "typing.started",
        Place.PASSING,
        TypingStarted,
        "Somebody types. It means nothing any more after 6 s without another.",
    ),
    ServerEvent("typing.stopped", Place.PASSING, TypingStopped, "They have stopped."),
    ServerEvent(
        "typing.counted",
        Place.PASSING,
        TypingCounted,
        "In a channel of more than 100 members, instead of both: how many type now. At most once a second.",
    ),
)
CALLS: Final = (
    ClientEvent("typing.start", TypingPacket, Nothing, "Say that you type: at every key, or every few seconds."),
    ClientEvent("typing.stop", TypingPacket, Nothing, "Say that you have stopped without sending."),
)
