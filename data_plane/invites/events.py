"""Events about invites, in the log of whoever is invited."""

from typing import Final

from data_plane.events import Data, Place, ServerEvent
from data_plane.invites.views import InviteView


class InviteChanged(Data):
    """Data of `invite.changed`."""

    invite: InviteView


EVENTS: Final = (
    ServerEvent(
        "invite.changed",
        Place.USER,
        InviteChanged,
        "You were invited, or an invite of yours was answered or taken back; keep those that are `pending`. Whoever "
        "becomes a member in another way has no invite any more.",
    ),
)
