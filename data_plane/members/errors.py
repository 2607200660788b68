"""What can go wrong with memberships."""

from kernel.errors import Conflict, InvalidInput


class UnknownUsers(InvalidInput):
    """Users are named that do not exist; `user_ids` lists them. Nothing was done. Create them first."""

    code = "unknown_users"
    title = "Some of these users do not exist"

    @classmethod
    def of(cls, user_ids: list[str], *, field: str) -> "UnknownUsers":
        """The error for these ids, named in a field of the request."""
        names = ", ".join(user_ids[:5]) + (" …" if len(user_ids) > 5 else "")
        return cls(f"`{field}` names users that do not exist: {names}.", field=field, user_ids=user_ids)


class TooManyPins(Conflict):
    """The user has pinned as many channels as one can. Take another pin off first."""

    code = "too_many_pins"
    title = "There are enough pinned channels"


class DistinctIsFixed(Conflict):
    """The channel is known by its members, so nobody is added and nobody goes. Begin another one for other people;
    whoever wants to be rid of it archives or hides it."""

    code = "distinct_is_fixed"
    title = "The members of a distinct channel do not change"


class DirectIsFixed(Conflict):
    """The two members of a direct channel are what it is: nobody joins, leaves or has a role."""

    code = "direct_is_fixed"
    title = "The members of a direct channel do not change"
