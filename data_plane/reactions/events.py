"""Events about reactions, in the channel's log. Both hold the message's counts as they are after it."""

from typing import Final

from data_plane.events import ClientEvent, Data, Place, ServerEvent
from data_plane.messages.views import OneMessage
from data_plane.reactions.schemas import ReactionAddPacket, ReactionRemovePacket
from data_plane.views import Timestamp


class ReactionAdded(Data):
    """Data of `reaction.added`."""

    message_id: str
    message_seq: int
    user_id: str
    emoji: str
    created_at: Timestamp
    reactions: dict[str, int]
    replaced: list[str]
    """What the user had reacted with before and a unique reaction took away."""


class ReactionRemoved(Data):
    """Data of `reaction.removed`."""

    message_id: str
    message_seq: int
    user_id: str
    emoji: str
    reactions: dict[str, int]


EVENTS: Final = (
    ServerEvent(
        "reaction.added",
        Place.CHANNEL,
        ReactionAdded,
        "Somebody reacted. `reactions` are the message's counts then, `replaced` what it took the place of.",
    ),
    ServerEvent(
        "reaction.removed",
        Place.CHANNEL,
        ReactionRemoved,
        "Somebody took a reaction back. `reactions` are the message's counts then.",
    ),
)
CALLS: Final = (
    ClientEvent(
        "reaction.add",
        ReactionAddPacket,
        OneMessage,
        "React to a message; with `unique` in the place of whatever else you reacted with.",
    ),
    ClientEvent("reaction.remove", ReactionRemovePacket, OneMessage, "Take a reaction back."),
)
