"""An invite as whoever was invited, and whoever may invite, sees it."""

from typing import Any, TypedDict

from data_plane.invites.models import Invite
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class InvitedTo(TypedDict):
    """What somebody who is asked into a channel sees of it."""

    id: str
    type: str
    name: str | None
    image: str | None


class InviteView(TypedDict):
    """Who is asked into which channel, and what came of it."""

    channel: InvitedTo
    user_id: str
    state: str
    """`pending`, `accepted`, `rejected`, or `revoked` by those who asked."""
    role: str
    """What it becomes."""
    invited_by: str | None
    """Null when your server asked."""
    created_at: Timestamp
    changed_at: Timestamp


class Invites(TypedDict):
    """Those of the named who are no members, in that order."""

    invites: list[InviteView]


class InvitePage(Invites):
    """Pending invites, by channel or by user."""

    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


def invite_view(invite: Invite, channel: Any) -> InviteView:
    """The invite. `channel` has `id`, `type`, `name` and `image`."""
    return {
        "channel": {"id": channel.id, "type": channel.type, "name": channel.name, "image": channel.image},
        "user_id": invite.user_id,
        "state": invite.state,
        "role": invite.role,
        "invited_by": invite.invited_by,
        "created_at": rfc3339(invite.created_at),
        "changed_at": rfc3339(invite.changed_at),
    }
