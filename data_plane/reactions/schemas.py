"""Bodies and packets about reactions."""

from typing import Annotated

import msgspec

from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.messages.schemas import MessageId

Emoji = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""One emoji or a short name; checked where it is read."""


class PutReaction(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/messages/{id}/reactions/{emoji}`. `unique`: in the place of whatever else the user reacted with.
    `user_id`: who reacts, for a server to name."""

    unique: bool = False
    user_id: CustomerId | None = None


class ReactionAddPacket(Payload, frozen=True, kw_only=True):
    """Packet of `reaction.add`."""

    message_id: MessageId
    emoji: Emoji
    unique: bool = False


class ReactionRemovePacket(Payload, frozen=True, kw_only=True):
    """Packet of `reaction.remove`."""

    message_id: MessageId
    emoji: Emoji
