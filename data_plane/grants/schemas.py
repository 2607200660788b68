"""Bodies of requests about types and roles, and the names in them."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from data_plane.gateway.routes import Payload
from data_plane.grants.permissions import EVERYTHING, OF_THE_TYPE, Grants, Permission
from kernel.errors import InvalidInput

NAME_PATTERN: Final = r"\A[a-z0-9_-]{1,32}\Z"
MAX_ROLES: Final = 40
"""Roles that one body may name, more than an app can have."""

RoleName = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
TypeName = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
Permissions = Annotated[list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=100)]
TypeGrants = Annotated[dict[RoleName, Permissions], msgspec.Meta(max_length=MAX_ROLES)]
ChannelGrants = Annotated[dict[RoleName, Permissions | None], msgspec.Meta(max_length=MAX_ROLES)]

History = Literal["all", "joined"]
"""What who becomes a member sees of what was said before: all, or nothing."""
MAX_SLOW: Final = 86_400
SlowMode = Annotated[int, msgspec.Meta(ge=0, le=MAX_SLOW)]
"""Seconds between two messages of one member."""


class PutType(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/channel-types/{name}`. A role that `grants` does not name has what it has by default.

    `history` and `slow_mode` are what new channels of the type begin with; `receipts`: whether members of
    its channels see how far others have read.
    """

    grants: TypeGrants
    creator_role: RoleName | None = None
    history: History = "all"
    receipts: bool = True
    slow_mode: SlowMode = 0


class PutRole(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/roles/{name}`: where it may be given, and what it may do in types that say nothing of it."""

    scopes: Annotated[list[Literal["app", "channel"]], msgspec.Meta(min_length=1, max_length=2)]
    grants: Permissions


def permissions(names: list[str], *, field: str, outside: Grants = frozenset()) -> Grants:
    """Names as permissions. Raises `InvalidInput` for one that does not exist or cannot be granted there."""
    for place, name in enumerate(names):
        where = f"{field}[{place}]"
        if name not in EVERYTHING:
            raise InvalidInput(f"`{where}`: there is no permission `{name}`.", field=where)
        if name in outside:
            raise InvalidInput(f"`{where}`: `{name}` is not about one channel; grant it in the type.", field=where)
    return frozenset(map(Permission, names))


def channel_grants(wish: Mapping[str, list[str] | None]) -> dict[str, list[str] | None]:
    """A channel's own grants, checked and sorted."""
    return {
        role: sorted(permissions(names, field=f"grants.{role}", outside=OF_THE_TYPE)) if names is not None else None
        for role, names in wish.items()
    }
