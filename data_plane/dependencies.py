"""What routes ask for by name. Values are made by the application, so Litestar need not validate them."""

from typing import Annotated

import msgspec
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from data_plane.identity.caller import Caller
from data_plane.shard import Shard

CallerDependency = NamedDependency[SkipValidation[Caller]]
"""The authenticated caller, as `caller`."""
ShardDependency = NamedDependency[SkipValidation[Shard]]
"""The shard that this node serves, as `shard`."""

Limit = Annotated[int, QueryParameter(ge=1, le=100)]
"""How many things a page holds at most."""
Cursor = Annotated[str | None, QueryParameter(max_length=200)]
"""Where a page starts: `next_cursor` of the page before."""
OptionalUser = Annotated[str | None, QueryParameter(max_length=64)]
"""The user that a server asks for or acts as, in the query."""

CustomerId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.@-]+\Z")]
"""A user's or channel's id in a body."""


def require_scope(caller: Caller, scope: str) -> None:
    """Raise `MissingScope` for a server whose secret key lacks the scope. Users have what the channel gives them."""
    if caller.is_server:
        caller.require_server(scope)
