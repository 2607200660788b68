"""How a user keeps its channels: which it has archived, hidden, muted, pinned, as conditions on its memberships."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Text, all_, and_, any_, cast, func, not_, or_, select

from data_plane.members.models import Member


class Kept(NamedTuple):
    """What is asked for; null where it does not matter."""

    archived: bool | None = None
    hidden: bool | None = None
    muted: bool | None = None
    pinned: bool | None = None


KEPT_ANYHOW: Final = Kept()
IN_SIGHT: Final = Kept(archived=False, hidden=False)
"""What a user gets who asks for its channels and says no more."""


def kept_so(kept: Kept, user_id: str, now: datetime | None, member: Any = Member) -> list[ColumnElement[bool]]:
    """Conditions on a user's membership, `Member` or an alias of it. `now` is needed for `muted`."""
    made: list[ColumnElement[bool]] = []
    if kept.archived is not None:
        made.append(member.archived_at.is_not(None) if kept.archived else member.archived_at.is_(None))
    if kept.hidden is not None:
        # As a query of its own, so that it is asked once.
        ids = cast(select(func.chat.hidden_channels(user_id, type_=ARRAY(Text))).scalar_subquery(), ARRAY(Text))
        if kept.hidden:
            made += [member.hidden_number.is_not(None), member.channel_id == any_(ids)]
        else:
            made.append(member.channel_id != all_(ids))
    if kept.muted is not None:
        muted = and_(member.muted_at.is_not(None), or_(member.muted_until.is_(None), member.muted_until > now))
        made.append(muted if kept.muted else not_(muted))
    if kept.pinned is not None:
        made.append(member.pin_order.is_not(None) if kept.pinned else member.pin_order.is_(None))
    return made
