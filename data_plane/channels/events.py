"""Events about channels."""

from typing import Final

from data_plane.channels.views import ChannelView
from data_plane.events import Data, Place, ServerEvent


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


EVENTS: Final = (
    ServerEvent("channel.created", Place.CHANNEL, ChannelCreated, "The first entry of a channel's log."),
    ServerEvent(
        "channel.updated",
        Place.CHANNEL,
        ChannelUpdated,
        "Name, image, custom data, `frozen` or `grants` changed; `changed` says which.",
    ),
    ServerEvent("channel.deleted", Place.CHANNEL, ChannelDeleted, "The channel is gone for everybody."),
)
