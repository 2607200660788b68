"""Bodies of requests about members."""

from typing import Annotated, Any

import msgspec

from data_plane.channels.schemas import MAX_MEMBERS_AT_ONCE
from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.grants.schemas import History, RoleName
from data_plane.moments import Moment


class AddMembers(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/members`. `history`: what the new ones see of before; left out, as the channel
    says. `custom` is kept with each new membership."""

    user_ids: Annotated[list[CustomerId], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS_AT_ONCE)]
    role: RoleName = "member"
    history: History | None = None
    custom: dict[str, Any] | None = None


class PutMember(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/channels/{id}/members/{user_id}`. Without a role, a member keeps the one it has.

    `history` and `custom` are for who is no member yet.
    """

    role: RoleName | None = None
    history: History | None = None
    custom: dict[str, Any] | None = None


class UpdateMember(Payload, frozen=True, kw_only=True):
    """Body of `PATCH /v1/channels/{id}/members/{user_id}`: fields of the membership's custom data to set, and to take
    away; what is named in neither stays."""

    set: dict[str, Any] = msgspec.field(default_factory=dict)
    unset: Annotated[list[Annotated[str, msgspec.Meta(max_length=256)]], msgspec.Meta(max_length=100)] = msgspec.field(
        default_factory=list
    )


class LeaveChannel(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/leave`. `user_id`: who leaves, for a server to name."""

    user_id: CustomerId | None = None


class JoinChannel(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/join`. `user_id`: who joins, for a server to name."""

    user_id: CustomerId | None = None


class ArrangeChannel(Payload, frozen=True, kw_only=True):
    """Body of `PATCH /v1/channels/{id}/membership`: what is left out stays. `user_id`: whose, for a server to name.

    `muted_until` mutes, null for good. `pin_before` pins before another channel that is pinned, null behind them all;
    `pinned` alone pins before all.
    """

    archived: bool | msgspec.UnsetType = msgspec.UNSET
    hidden: bool | msgspec.UnsetType = msgspec.UNSET
    clear_history: bool = False
    muted: bool | msgspec.UnsetType = msgspec.UNSET
    muted_until: Moment | msgspec.UnsetType | None = msgspec.UNSET
    pinned: bool | msgspec.UnsetType = msgspec.UNSET
    pin_before: CustomerId | msgspec.UnsetType | None = msgspec.UNSET
    user_id: CustomerId | None = None


class MembershipArrangePacket(Payload, frozen=True, kw_only=True):
    """Packet of `membership.arrange`: as the body of `PATCH /v1/channels/{id}/membership`."""

    channel_id: CustomerId
    archived: bool | msgspec.UnsetType = msgspec.UNSET
    hidden: bool | msgspec.UnsetType = msgspec.UNSET
    clear_history: bool = False
    muted: bool | msgspec.UnsetType = msgspec.UNSET
    muted_until: Moment | msgspec.UnsetType | None = msgspec.UNSET
    pinned: bool | msgspec.UnsetType = msgspec.UNSET
    pin_before: CustomerId | msgspec.UnsetType | None = msgspec.UNSET

    def wish(self) -> ArrangeChannel:
        """The same without the channel."""
        return ArrangeChannel(
            archived=self.archived,
            hidden=self.hidden,
            clear_history=self.clear_history,
            muted=self.muted,
            muted_until=self.muted_until,
            pinned=self.pinned,
            pin_before=self.pin_before,
        )
