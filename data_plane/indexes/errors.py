"""What can go wrong with declared indexes."""

from kernel.errors import Conflict


class IndexExists(Conflict):
    """The field is declared with another type. Delete that index first; a new one is built from what is stored."""

    code = "index_exists"
    title = "The field is declared with another type"


class TooManyIndexes(Conflict):
    """The app has as many declared fields of this resource as it may have."""

    code = "too_many_indexes"
    title = "Too many declared fields"
