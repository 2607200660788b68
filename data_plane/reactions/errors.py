"""What can go wrong with reactions."""

from kernel.errors import Conflict


class TooManyReactions(Conflict):
    """The message shows as many different emoji as one may. Those that it shows can still be joined."""

    code = "too_many_reactions"
    title = "The message has too many different reactions"
