"""Events about profiles."""

from typing import Final

from data_plane.events import Data, Place, ServerEvent
from data_plane.users.views import UserView


class UserUpdated(Data):
    """Data of `user.updated`."""

    user: UserView


class ProfileChanged(Data):
    """Data of `profile.changed`."""

    user: UserView


EVENTS: Final = (
    ServerEvent("user.updated", Place.USER, UserUpdated, "Your own profile changed."),
    ServerEvent(
        "profile.changed",
        Place.PASSING,
        ProfileChanged,
        "A user whose channels you watch changed its profile; once, however many you share.",
    ),
)
