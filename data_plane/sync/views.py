"""What a client that was away gets."""

from typing import Any, Literal, TypedDict

from data_plane.blocks.views import BlockView
from data_plane.channels.views import ChannelView
from data_plane.views import Timestamp


class EventView(TypedDict):
    """A durable event, the same as a socket delivers. See the realtime reference for each type's `data`."""

    type: str
    channel_id: str | None
    """Null in the user's own log."""
    seq: int
    """Counts the events of the channel's log, or of the user's own, from 1 without a gap."""
    epoch: str
    """Names the life of the logs; changes only after a restore from a backup."""
    at: Timestamp
    actor: str | None
    """Who did it; null when your server did it in nobody's name."""
    data: dict[str, Any]


class Recovered(TypedDict):
    """Everything since the cursor, in the order of the commits."""

    recovered: Literal[True]
    events: list[EventView]
    cursor: str
    """Where the next call goes on."""
    has_more: bool
    """There is more already: call again with the new cursor."""


class FreshState(TypedDict):
    """The state as it is now, because there was no cursor, or it is too old or of another epoch."""

    recovered: Literal[False]
    channels: list[ChannelView]
    """Every channel of the user."""
    grants: dict[str, dict[str, list[str]]]
    """What every role may do in every channel type: `{type: {role: [permission]}}`. `grants.updated` changes it."""
    blocks: list[BlockView]
    """Whom the user has blocked."""
    own_seq: int
    """`seq` of the newest event of the user's own log that is in this; 0 for none. Pass over those up to it."""
    cursor: str
    has_more: Literal[False]
