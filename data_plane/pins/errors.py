"""What can go wrong with pins."""

from kernel.errors import Conflict


class TooManyPinned(Conflict):
    """The channel shows as many pinned messages as one may. Unpin one first."""

    code = "too_many_pinned"
    title = "The channel has too many pinned messages"
