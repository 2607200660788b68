"""What can go wrong with channels."""

from kernel.errors import Conflict, Forbidden, NotFound


class ChannelExists(Conflict):
    """The id belongs to another channel, or did to one that was deleted. Nothing of that one is shown."""

    code = "channel_exists"
    title = "The channel id is taken"


class ChannelFrozen(Forbidden):
    """The channel can be read and left; only the customer's server still writes to it."""

    code = "channel_frozen"
    title = "The channel is frozen"


class OwnerNeeded(Forbidden):
    """Only an owner of the channel, or the customer's server, may do this."""

    code = "owner_needed"
    title = "Only an owner of the channel may do this"


def no_channel() -> NotFound:
    """The same for a channel that is not there, was deleted, is another tenant's, or does not have the caller in it."""
    return NotFound("There is no such channel.")
