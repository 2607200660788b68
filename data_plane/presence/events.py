"""Events about who is there and who watches."""

from typing import Final, Literal

from data_plane.events import ClientEvent, Data, Nothing, Place, ServerEvent
from data_plane.presence.schemas import PresenceSetPacket, PresenceSubscribePacket
from data_plane.presence.views import PresenceList, PresenceView, WatchersView


class PresenceCounted(Data):
    """Data of `presence.counted`."""

    aggregated: Literal[True]
    online_count: int
    """Members who are online or away."""


EVENTS: Final = (
    ServerEvent(
        "presence.changed",
        Place.PASSING,
        PresenceView,
        "A user who shares a watched channel with you, or to whom you subscribed, came, went or chose otherwise; "
        "or you chose yourself, on any of your devices.",
    ),
    ServerEvent(
        "presence.counted",
        Place.PASSING,
        PresenceCounted,
        "In a channel of more than 100 members: how many of them are there now. At most once a second.",
    ),
    ServerEvent("watchers.changed", Place.PASSING, WatchersView, "Who watches the channel now. At most once a second."),
)
CALLS: Final = (
    ClientEvent(
        "presence.set",
        PresenceSetPacket,
        PresenceView,
        "Say whether somebody is at the device, or choose what you show.",
    ),
    ClientEvent(
        "presence.subscribe", PresenceSubscribePacket, PresenceList, "Hear of users with whom you watch no channel."
    ),
    ClientEvent("presence.unsubscribe", PresenceSubscribePacket, Nothing, "Stop that."),
)
