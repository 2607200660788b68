"""What can go wrong with invites."""

from kernel.errors import NotFound


def no_invite() -> NotFound:
    """The same for one that never was, was answered or taken back, and for a channel that is gone."""
    return NotFound("There is no such invite, or it is over.")
