"""Events about channels."""

from typing import Final

from data_plane.channels.views import ChannelView
from data_plane.events import Data, Nothing, Place, ServerEvent
from data_plane.log.entries import SKIPPED


class ChannelCreated(Data):
    """Data of `channel.created`."""

    channel: ChannelView


class ChannelUpdated(Data):
    """Data of `channel.updated`."""

    channel: ChannelView
    changed: list[str]
    """The fields that were given."""


class ChannelDeleted(Data):
    """Data of `channel.deleted`."""

    channel_id: str


class ChannelTruncated(Data):
    """Data of `channel.truncated`."""

    channel_id: str
    truncated_to: int
    """Messages with a lesser `seq` are gone."""
    truncated_number: int
    """The number of the newest of them: what is up to it is unread no more."""
    hard: bool
    """Their content is gone for good."""


EVENTS: Final = (
    ServerEvent("channel.created", Place.CHANNEL, ChannelCreated, "The first entry of a channel's log."),
    ServerEvent(
        "channel.updated",
        Place.CHANNEL,
        ChannelUpdated,
        "Name, image, custom data, `frozen`, `history`, `slow_mode` or `grants` changed; `changed` says which.",
    ),
    ServerEvent(
        "channel.truncated",
        Place.CHANNEL,
        ChannelTruncated,
        "Messages up to some point are gone for everybody: drop those with a lesser `seq` than `truncated_to`.",
    ),
    ServerEvent(
        SKIPPED,
        Place.CHANNEL,
        Nothing,
        "Something happened to a message from before you see the channel. Nothing is left to do; it keeps `seq` whole.",
    ),
    ServerEvent("channel.deleted", Place.CHANNEL, ChannelDeleted, "The channel is gone for everybody."),
)
