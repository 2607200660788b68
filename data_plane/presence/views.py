"""A user's presence as others see it, and as it sees its own."""

from datetime import datetime
from typing import Literal, TypedDict

from data_plane.presence.choices import Choice
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class PresenceView(TypedDict):
    """Where a user is."""

    user_id: str
    status: Literal["online", "away", "invisible", "offline"]
    """`invisible` is what the user alone sees of itself; to everybody else it is `offline`."""
    text: str | None
    text_expires_at: Timestamp | None
    """When the text ends; null when it stays."""
    last_active_at: Timestamp | None
    """When the user was last there without being invisible; null when it never was. While it is online, at most five
    minutes old."""


class PresenceList(TypedDict):
    """Presence of several users, in the order they were named."""

    presence: list[PresenceView]


class MembersPresence(TypedDict):
    """Who of a channel is there. In a channel of more than 100 members it is a number."""

    aggregated: bool
    online_count: int
    """Members who are online or away."""
    members: list[PresenceView]
    """Every member with its presence; empty when `aggregated`."""


class WatchersView(TypedDict):
    """Who watches a channel: has it open. Who is invisible watches unseen."""

    count: int
    """Users, and connections of anonymous visitors."""
    aggregated: bool
    """There are more than 100 users; then they are a number alone."""
    user_ids: list[str]
    """Empty when `aggregated`, and to an anonymous visitor."""
    anonymous: int
    """Connections of anonymous visitors among `count`: nobody can tell which of them are one person's."""


class WatcherPage(WatchersView):
    """Watchers by user id."""

    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


def public(state: str) -> str:
    """What others see of a state."""
    return "offline" if state == "invisible" else state


def presence_view(user_id: str, state: str, choice: Choice, now: datetime, *, own: bool = False) -> PresenceView:
    """The presence; a text whose time is over is none."""
    expires = choice.text_expires_at
    valid = choice.text is not None and (expires is None or expires > now)
    status = state
    if own and state == "offline" and choice.status == "invisible":
        status = "invisible"
    return {
        "user_id": user_id,
        "status": status if own else public(state),  # type: ignore[typeddict-item]
        "text": choice.text if valid else None,
        "text_expires_at": rfc3339(expires) if valid and expires is not None else None,
        "last_active_at": rfc3339(choice.last_active_at) if choice.last_active_at is not None else None,
    }
