"""A membership as others see it."""

from typing import Any, NotRequired, TypedDict

from data_plane.members.models import MemberRow
from data_plane.query.plan import Explanation
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class MemberView(TypedDict):
    """Who is in a channel: in lists and in `member.added`."""

    user_id: str
    role: str
    joined_at: Timestamp
    custom: dict[str, Any]
    """Whatever your product keeps with the membership. Everybody in the channel sees it."""


class Arrangement(TypedDict):
    """All that a user has arranged for itself in a channel. The same fields are in the channel's `membership`."""

    channel_id: str
    archived_at: Timestamp | None
    hidden: bool
    """Until something is said that makes unread."""
    history_from: int
    """The user sees messages with this `seq` and above."""
    muted_at: Timestamp | None
    muted_until: Timestamp | None
    pin_order: float | None


class Members(TypedDict):
    """The members that were named, in that order."""

    members: list[MemberView]


class MemberPage(Members):
    """Members by user id."""

    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


class QueriedMembers(TypedDict):
    """Members that match, in the order asked for."""

    members: list[MemberView]
    next_cursor: str | None
    """Give it back as `cursor`, with the same filter and sort, for the next page; null on the last one."""
    explain: NotRequired[Explanation]
    """How the query was answered, when you asked for it."""


def member_view(row: MemberRow) -> MemberView:
    """The membership without its read position, which is nobody else's business."""
    return {"user_id": row.user_id, "role": row.role, "joined_at": rfc3339(row.joined_at), "custom": row.custom}
