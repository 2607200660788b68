"""Pins as everybody sees them."""

from datetime import datetime
from typing import TypedDict

from data_plane.messages.views import MessageView
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class PinView(TypedDict):
    """A message that its channel has pinned. From `expires_at` on it is pinned no more, and no event says so."""

    message_id: str
    message_seq: int
    pinned_by: str | None
    """Who pinned it; null for your server in nobody's name."""
    pinned_at: Timestamp
    expires_at: Timestamp | None


class OnePin(TypedDict):
    """A pin as it is now."""

    pin: PinView


class PinnedView(PinView):
    """A pin with its message."""

    message: MessageView


class PinList(TypedDict):
    """All that a channel has pinned and the reader sees, what was pinned last first."""

    pins: list[PinnedView]


def pin_view(message_id: str, seq: int, by: str | None, at: datetime, until: datetime | None) -> PinView:
    """A pin from its parts."""
    return {
        "message_id": message_id,
        "message_seq": seq,
        "pinned_by": by,
        "pinned_at": rfc3339(at),
        "expires_at": None if until is None else rfc3339(until),
    }
