"""The event that carries an app's own."""

from typing import Any, Final

from data_plane.custom_events.schemas import EventPacket
from data_plane.custom_events.service import SENT
from data_plane.events import ClientEvent, Data, Nothing, Place, ServerEvent


class CustomEvent(Data):
    """Data of `event.sent`."""

    type: str
    """What the app calls it."""
    data: dict[str, Any]
    user_id: str | None
    """Who sent it; null for your server in nobody's name."""


EVENTS: Final = (
    ServerEvent(
        SENT,
        Place.PASSING,
        CustomEvent,
        "An event of your app's own: of a channel that you watch or, where `channel_id` is null, for you alone.",
    ),
)
CALLS: Final = (
    ClientEvent(
        "event.send",
        EventPacket,
        Nothing,
        "Send an event of your app's own to those who watch a channel: up to 5,000 bytes of `data`, kept nowhere.",
    ),
)
