"""The event about one's place in a thread. Replies themselves are messages, told in the channel's log."""

from typing import Final

from data_plane.events import ClientEvent, Place, ServerEvent
from data_plane.threads.schemas import ThreadReadPacket
from data_plane.threads.views import ThreadPosition

EVENTS: Final = (
    ServerEvent("thread.changed", Place.USER, ThreadPosition, "You read a thread further, on any of your devices."),
)
CALLS: Final = (
    ClientEvent("thread.read", ThreadReadPacket, ThreadPosition, "Mark a thread read, up to a reply or all of it."),
)
