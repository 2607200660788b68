"""Bodies of requests about channels."""

from typing import Annotated, Any

import msgspec

from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.grants.schemas import ChannelGrants, History, SlowMode, TypeName
from data_plane.messages.schemas import Text
from data_plane.moments import Moment
from data_plane.query.schemas import Query

Name = Annotated[str, msgspec.Meta(max_length=200)]
Image = Annotated[str, msgspec.Meta(max_length=2_000)]
MAX_MEMBERS_AT_ONCE = 100
MemberIds = Annotated[list[CustomerId], msgspec.Meta(max_length=MAX_MEMBERS_AT_ONCE)]


class CreateChannel(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels`. `user_id`: the creator, for a server to name. What is left out of `history` and
    `slow_mode` is as the type has it.

    `distinct`: the one channel of this type with exactly these members; left out, so for a `direct` one without `id`.
    """

    id: CustomerId | None = None
    type: TypeName = "group"
    name: Name | None = None
    image: Image | None = None
    custom: dict[str, Any] | None = None
    members: MemberIds = msgspec.field(default_factory=list)
    history: History | None = None
    slow_mode: SlowMode | None = None
    distinct: bool | None = None
    user_id: CustomerId | None = None


class UpdateChannel(Payload, frozen=True, kw_only=True):
    """Body of `PATCH /v1/channels/{id}`: what is left out stays; null takes a name or image away.

    `grants` says for each role it names what that role may do in this channel; null for a role, or for all of them,
    gives back what the type says.
    """

    name: Name | msgspec.UnsetType | None = msgspec.UNSET
    image: Image | msgspec.UnsetType | None = msgspec.UNSET
    custom: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    frozen: bool | msgspec.UnsetType = msgspec.UNSET
    history: History | msgspec.UnsetType = msgspec.UNSET
    slow_mode: SlowMode | msgspec.UnsetType = msgspec.UNSET
    grants: ChannelGrants | msgspec.UnsetType | None = msgspec.UNSET


class TruncationMessage(Payload, frozen=True, kw_only=True):
    """What the system says of a truncation. `user_id`: for a server to name in whose name."""

    text: Text
    custom: dict[str, Any] = msgspec.field(default_factory=dict)
    user_id: CustomerId | None = None


class TruncateChannel(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/truncate`. `before` is a `seq`, `before_time` a moment: what is older goes;
    neither of them: everything there is. `hard` wipes the content, which nothing brings back. `message`: a message of
    the system, which is the channel's last and stays."""

    before: Annotated[int, msgspec.Meta(ge=1, le=2**53)] | None = None
    before_time: Moment | None = None
    hard: bool = False
    message: TruncationMessage | None = None


class QueryChannels(Query, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/query`. `user_id`: whose channels, for a server to name."""

    user_id: CustomerId | None = None
