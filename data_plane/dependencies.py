"""What routes ask for by name. Values are made by the application, so Litestar need not validate them."""

from typing import Annotated, Final

import msgspec
from litestar.di import NamedDependency
from litestar.openapi.spec import SecurityRequirement
from litestar.params import PathParameter, QueryParameter, SkipValidation

from data_plane.identity.caller import Caller, Reader, ServerCaller
from data_plane.shard import Shard
from kernel.ids import ID_CHARACTER

CallerDependency = NamedDependency[SkipValidation[Caller]]
"""The authenticated caller, as `caller`: a server or a user. Visitors who are nobody are refused."""
ReaderDependency = NamedDependency[SkipValidation[Reader]]
"""Whoever reads, as `reader`: the caller, or an anonymous visitor. For routes that change nothing."""
ShardDependency = NamedDependency[SkipValidation[Shard]]
"""The shard that this node serves, as `shard`."""

SERVER: Final[list[SecurityRequirement]] = [{"secretKey": []}]
"""For routes that only the customer's server may call."""
USER: Final[list[SecurityRequirement]] = [{"userToken": []}]
"""For routes about the user whose token it is."""
ANYBODY: Final[list[SecurityRequirement]] = [{"secretKey": []}, {"userToken": []}]
"""For routes that servers and users call."""
READERS: Final[list[SecurityRequirement]] = [*ANYBODY, {"publishableKey": []}]
"""For routes that anonymous visitors call too."""

ID_PATTERN: Final = r"^[A-Za-z0-9_.@-]{1,64}\Z"
"""What a customer's own ids are made of; see `kernel.ids.CUSTOMER_ID`."""

MESSAGE_ID_PATTERN: Final = rf"^msg_[0-7]{ID_CHARACTER}{{25}}\Z"
"""A message's id as it is shown."""

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many a page holds at most.")]
"""How many things a page holds at most."""
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=200, description="Where the page starts: `next_cursor` of the page before, unchanged."),
]
"""Where a page starts: `next_cursor` of the page before."""
OptionalUser = Annotated[
    str | None,
    QueryParameter(
        pattern=ID_PATTERN,
        description="With a secret key: the user that is asked for or acts. With a user token only its own user.",
    ),
]
"""The user that a server asks for or acts as, in the query."""

ChannelPath = Annotated[str, PathParameter(pattern=ID_PATTERN, description="The channel's id.")]
UserPath = Annotated[str, PathParameter(pattern=ID_PATTERN, description="The user's id.")]
MessagePath = Annotated[str, PathParameter(pattern=MESSAGE_ID_PATTERN, description="The message's id, `msg_…`.")]

CustomerId = Annotated[str, msgspec.Meta(pattern=ID_PATTERN)]
"""A user's or channel's id in a body."""


def require_scope(reader: Reader, scope: str) -> None:
    """Raise `MissingScope` for a server whose secret key lacks the scope. Everybody else has what the channel gives."""
    if isinstance(reader, ServerCaller):
        reader.require_server(scope)
