"""Bodies of requests about invites."""

from typing import Annotated, Any

import msgspec

from data_plane.channels.schemas import MAX_MEMBERS_AT_ONCE
from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.grants.schemas import History, RoleName


class InviteMembers(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/invites`. What they become, see of before and have kept with them once they
    accept, as for who is added."""

    user_ids: Annotated[list[CustomerId], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS_AT_ONCE)]
    role: RoleName = "member"
    history: History | None = None
    custom: dict[str, Any] | None = None


class AnswerInvite(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/invites/{channel_id}/accept` and `/reject`. `user_id`: who answers, for a server to name."""

    user_id: CustomerId | None = None
