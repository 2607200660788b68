"""What can go wrong with blocks."""

from kernel.errors import Conflict, Forbidden


class Blocked(Forbidden):
    """The other member of the direct channel takes no messages from this user. Nothing was stored."""

    code = "blocked"
    title = "The other user takes no messages from you"


class TooManyBlocks(Conflict):
    """The user has blocked as many others as one may."""

    code = "too_many_blocks"
    title = "Too many blocked users"
