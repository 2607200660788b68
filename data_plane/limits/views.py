"""What a caller sees of limits."""

from typing import TypedDict


class LimitView(TypedDict):
    """One limit and where the caller stands."""

    policy: str
    """Its name, as in the headers and in errors."""
    key: str
    """Who shares it: `user`, `app`, `channel` or `connection`."""
    counts: str
    """What is counted, in words."""
    quota: int
    """Units at once."""
    per_second: float
    """Units a second after that."""
    window: int
    """Seconds in which all of the quota comes back."""
    remaining: int | None
    """Units that would pass now; null for a connection, which only knows its own."""
    reset: int | None
    """Seconds until all of the quota is there again; null with `remaining`."""


class LimitsView(TypedDict):
    """All limits of a caller."""

    limits: list[LimitView]
