"""A user as everybody in the app sees it."""

from typing import Any, NotRequired, TypedDict

from data_plane.query.plan import Explanation
from data_plane.users.models import User
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class UserView(TypedDict):
    """A profile."""

    id: str
    name: str | None
    image: str | None
    role: str
    """Your own word for what the user is; given by your server alone."""
    custom: dict[str, Any]
    """Whatever your product keeps with a user."""
    created_at: Timestamp
    updated_at: Timestamp
    deactivated_at: Timestamp | None


class Users(TypedDict):
    """The users that were named, in that order."""

    users: list[UserView]


class QueriedUsers(TypedDict):
    """Users that match, in the order asked for."""

    users: list[UserView]
    next_cursor: str | None
    """Give it back as `cursor`, with the same filter and sort, for the next page; null on the last one."""
    explain: NotRequired[Explanation]
    """How the query was answered, when you asked for it."""


def user_view(user: User) -> UserView:
    """The whole profile: nothing of it is secret within the app."""
    return {
        "id": user.id,
        "name": user.name,
        "image": user.image,
        "role": user.role,
        "custom": user.custom,
        "created_at": rfc3339(user.created_at),
        "updated_at": rfc3339(user.updated_at),
        "deactivated_at": rfc3339(user.deactivated_at) if user.deactivated_at is not None else None,
    }
