"""What can go wrong with channels."""

from kernel.errors import Conflict, Forbidden, NotFound


class ChannelExists(Conflict):
    """The id belongs to another channel, or did to one that was deleted. Nothing of that one is shown."""

    code = "channel_exists"
    title = "The channel id is taken"


class ChannelFrozen(Forbidden):
    """The channel can be read and left; who may write there still, needs the permission `message.send.frozen`."""

    code = "channel_frozen"
    title = "The channel is frozen"


def no_channel() -> NotFound:
    """The same for a channel that is not there, was deleted, is another tenant's, or does not have the caller in it."""
    return NotFound("There is no such channel.")
