"""Bodies of requests about members."""

from typing import Annotated

import msgspec

from data_plane.channels.schemas import MAX_MEMBERS_AT_ONCE
from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.grants.schemas import History, RoleName


class AddMembers(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/members`. `history`: what the new ones see of before; left out, as the channel
    says."""

    user_ids: Annotated[list[CustomerId], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS_AT_ONCE)]
    role: RoleName = "member"
    history: History | None = None


class PutMember(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/channels/{id}/members/{user_id}`. Without a role, a member keeps the one it has.

    `history` is for who is no member yet.
    """

    role: RoleName | None = None
    history: History | None = None


class LeaveChannel(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/leave`. `user_id`: who leaves, for a server to name."""

    user_id: CustomerId | None = None


class JoinChannel(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/join`. `user_id`: who joins, for a server to name."""

    user_id: CustomerId | None = None
