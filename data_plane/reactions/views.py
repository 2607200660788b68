"""Reactions as everybody sees them."""

from typing import TypedDict

from data_plane.views import Timestamp


class ReactionView(TypedDict):
    """Somebody's reaction."""

    emoji: str
    user_id: str
    created_at: Timestamp


class ReactionPage(TypedDict):
    """A page of reactions, emoji by emoji, the earliest first."""

    reactions: list[ReactionView]
    next_cursor: str | None
