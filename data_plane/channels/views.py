"""A channel as its members and the customer's server see it."""

from typing import Any

from data_plane.channels.models import ChannelRow
from data_plane.members.models import MemberRow
from kernel.clock import rfc3339


def channel_view(
    channel: ChannelRow, *, last_seq: int, last_number: int, member_count: int, member: MemberRow | None
) -> dict[str, Any]:
    """The JSON object `{id, type, name, …, membership}`.

    It is true as of the entry `seq` of the channel's log: whoever holds it applies the entries above. `membership` is
    that of the user it is shown to.
    """
    return {
        "id": channel.id,
        "type": channel.type,
        "name": channel.name,
        "image": channel.image,
        "custom": channel.custom,
        "created_by": channel.created_by,
        "frozen": channel.frozen,
        "created_at": rfc3339(channel.created_at),
        "updated_at": rfc3339(channel.updated_at),
        "member_count": member_count,
        "last_number": last_number,
        "seq": last_seq,
        "membership": membership_view(member, last_number) if member is not None else None,
    }


def membership_view(member: MemberRow, last_number: int) -> dict[str, Any]:
    """`{role, read_number, unread, joined_at}`; unread is arithmetic on positions."""
    return {
        "role": member.role,
        "read_number": member.read_number,
        "unread": max(0, last_number - member.read_number),
        "joined_at": rfc3339(member.joined_at),
    }
