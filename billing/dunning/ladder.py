"""The ladder as a function of time: since when something is unpaid, and what the clock says.

active → past due (everything works) → read-only → suspended → export window (servers may read) → erased.
"""

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from control_plane.apps.holds import Hold

State = Literal["active", "past_due", "read_only", "suspended", "export", "erased"]

HOLDS: Final[dict[State, Hold | None]] = {
    "active": None,
    "past_due": None,
    "read_only": "read_only",
    "suspended": "suspended",
    "export": "export",
    "erased": "suspended",
}
"""What nodes may do in each state. What is erased they refuse as deleted."""


class Lengths(NamedTuple):
    """How long each step lasts."""

    past_due: timedelta
    read_only: timedelta
    suspended: timedelta
    export: timedelta


class Standing(NamedTuple):
    """A state, and the moment at which it ends by itself; `None` for one that does not."""

    state: State
    moves_at: datetime | None


class Moments(NamedTuple):
    """When each step begins for an app whose bill is unpaid since a moment."""

    read_only: datetime
    suspended: datetime
    export: datetime
    erased: datetime


def moments(unpaid_since: datetime, lengths: Lengths) -> Moments:
    """The ladder's steps by the clock. Erasure comes no earlier than that; see `standing`."""
    read_only = unpaid_since + lengths.past_due
    suspended = read_only + lengths.read_only
    export = suspended + lengths.suspended
    return Moments(read_only, suspended, export, export + lengths.export)


def standing(
    unpaid_since: datetime | None, now: datetime, lengths: Lengths, *, export_since: datetime | None = None
) -> Standing:
    """Where an app stands at `now`.

    `export_since`: since when it has been in its export window as everybody could see, `None` while it is not. The
    window is always had in full: whoever hears of an old debt today, or was not running for a month, erases nothing
    that its owner was not told about a window's length before.
    """
    if unpaid_since is None:
        return Standing("active", None)
    at = moments(unpaid_since, lengths)
    if now < at.read_only:
        return Standing("past_due", at.read_only)
    if now < at.suspended:
        return Standing("read_only", at.suspended)
    if now < at.export:
        return Standing("suspended", at.export)
    erased = max(at.erased, (export_since or now) + lengths.export)
    if export_since is None or now < erased:
        return Standing("export", erased)
    return Standing("erased", None)
