"""Events about members: in the channel's log, and in the log of whom it concerns."""

from typing import Final

from data_plane.channels.views import ChannelView
from data_plane.events import ClientEvent, Data, Place, ServerEvent
from data_plane.members.schemas import MembershipArrangePacket
from data_plane.members.views import Arrangement, MemberView


class MemberRemoved(Data):
    """Data of `member.removed`."""

    user_id: str


class MembershipAdded(Data):
    """Data of `membership.added`."""

    channel: ChannelView
    from_seq: int
    """Where the channel's events begin for you."""


class MembershipUpdated(Data):
    """Data of `membership.updated`."""

    channel_id: str
    role: str
    capabilities: list[str]


class MembershipRemoved(Data):
    """Data of `membership.removed`."""

    channel_id: str
    seq: int
    """The last event of the channel that is for you."""


EVENTS: Final = (
    ServerEvent("member.added", Place.CHANNEL, MemberView, "Somebody joined."),
    ServerEvent("member.updated", Place.CHANNEL, MemberView, "A member has another role, or other custom data."),
    ServerEvent(
        "member.removed", Place.CHANNEL, MemberRemoved, "Somebody left or was removed. For that user nothing follows."
    ),
    ServerEvent(
        "membership.added",
        Place.USER,
        MembershipAdded,
        "You are a member now. The channel's events follow, from `from_seq` on.",
    ),
    ServerEvent(
        "membership.updated",
        Place.USER,
        MembershipUpdated,
        "Your role in the channel is another one; `capabilities` are what you may do now.",
    ),
    ServerEvent(
        "membership.arranged",
        Place.USER,
        Arrangement,
        "You archived, hid, muted or pinned a channel or cleared its history, on any of your devices, or took it back. "
        "Something said afterwards that makes unread ends `hidden` by itself.",
    ),
    ServerEvent(
        "membership.removed",
        Place.USER,
        MembershipRemoved,
        "You are no member any more. `seq` is where the channel ended for you.",
    ),
)
CALLS: Final = (
    ClientEvent(
        "membership.arrange",
        MembershipArrangePacket,
        Arrangement,
        "Archive, hide, mute or pin a channel for yourself, or clear its history; what is left out stays.",
    ),
)
