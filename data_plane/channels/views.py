"""A channel as its members and the customer's server see it."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict

from data_plane.channels.models import ChannelRow
from data_plane.grants.standing import Standing
from data_plane.members.models import MemberRow
from data_plane.query.plan import Explanation
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class MembershipView(TypedDict):
    """A channel's membership of the user it is shown to."""

    role: str
    read_number: int
    """The number of the last message that was read."""
    unread: int
    """`last_number` of the channel minus `read_number`, or minus its `truncated_number` where that is greater, without
    the `hidden_numbers`."""
    hidden_numbers: NotRequired[list[int]]
    """The numbers of unread messages that the user has deleted for itself. Left out when there are none."""
    joined_at: Timestamp
    history_from: int
    """The user sees messages with this `seq` and above; 0 for all there are."""
    archived_at: Timestamp | None
    hidden: bool
    """Hidden by the user, and nothing that makes unread has been said since."""
    muted_at: Timestamp | None
    muted_until: Timestamp | None
    """Null with `muted_at`: until the user takes it back."""
    pin_order: float | None
    """Pinned channels come by it, the least first; null for one that is not pinned."""


class ChannelView(TypedDict):
    """A channel, as of the entry `seq` of its log: whoever holds it applies the events above."""

    id: str
    type: str
    name: str | None
    image: str | None
    custom: dict[str, Any]
    """Whatever your product keeps with a channel."""
    created_by: str | None
    """Null when your server made it in nobody's name."""
    frozen: bool
    """Members can read and leave; only who has `message.send.frozen` writes."""
    grants: dict[str, list[str]]
    """What roles may do here otherwise than in the channel's type."""
    history: str
    """`all`, or `joined`: who becomes a member sees nothing of what was said before."""
    truncated_to: int
    """Messages with a lesser `seq` are gone for everybody; 0 when the channel was never truncated."""
    truncated_number: int
    """The number of the newest message that is gone so; what is up to it is unread to nobody."""
    slow_mode: int
    """Seconds between two messages of one member; 0 for no such wait."""
    distinct: bool
    """The one channel of its type and members, who do not change."""
    created_at: Timestamp
    updated_at: Timestamp
    member_count: int
    last_number: int
    """The number of the newest message that counts as unread."""
    seq: int
    """The newest event of the channel's log."""
    membership: MembershipView | None
    """Null for a server, and for a user who watches without being a member."""
    capabilities: list[str] | None
    """What the user whom it is shown to may do here; null for a server, and in events that many get."""


class ChannelPage(TypedDict):
    """Channels by id."""

    channels: list[ChannelView]
    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


class QueriedChannels(TypedDict):
    """Channels that match, in the order asked for."""

    channels: list[ChannelView]
    next_cursor: str | None
    """Give it back as `cursor`, with the same filter and sort, for the next page; null on the last one."""
    explain: NotRequired[Explanation]
    """How the query was answered, when you asked for it."""


def channel_view(
    channel: ChannelRow,
    *,
    last_seq: int,
    last_number: int,
    member_count: int,
    member: MemberRow | None,
    standing: Standing | None,
) -> ChannelView:
    """The channel as whoever has this membership and standing sees it; null for what everybody gets."""
    role = member.role if member is not None else None
    return {
        "id": channel.id,
        "type": channel.type,
        "name": channel.name,
        "image": channel.image,
        "custom": channel.custom,
        "created_by": channel.created_by,
        "frozen": channel.frozen,
        "grants": dict(channel.grants),
        "history": channel.history,
        "truncated_to": channel.truncated_to,
        "truncated_number": channel.truncated_number,
        "slow_mode": channel.slow_mode,
        "distinct": channel.distinct,
        "created_at": rfc3339(channel.created_at),
        "updated_at": rfc3339(channel.updated_at),
        "member_count": member_count,
        "last_number": last_number,
        "seq": last_seq,
        "membership": membership_view(member, last_number, channel.truncated_number) if member is not None else None,
        "capabilities": standing.capabilities(channel, role) if standing is not None else None,
    }


def membership_view(member: MemberRow, last_number: int, truncated_number: int) -> MembershipView:
    """The membership; unread is arithmetic on positions, and nothing that was truncated or that it hides is."""
    read = max(member.read_number, truncated_number)
    hidden = [number for number in member.hidden_numbers or () if number > read]
    view: MembershipView = {
        "role": member.role,
        "read_number": member.read_number,
        "unread": max(0, last_number - read - len(hidden)),
        "joined_at": rfc3339(member.joined_at),
        "history_from": member.first_seq,
        "archived_at": maybe_time(member.archived_at),
        "hidden": member.hidden_number is not None and last_number <= member.hidden_number,
        "muted_at": maybe_time(member.muted_at),
        "muted_until": maybe_time(member.muted_until),
        "pin_order": member.pin_order,
    }
    if hidden:
        view["hidden_numbers"] = hidden
    return view


def maybe_time(at: datetime | None) -> str | None:
    """A time as it is shown, null for none."""
    return rfc3339(at) if at is not None else None
