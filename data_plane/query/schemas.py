"""The body of a query."""

from typing import Annotated, Any

import msgspec

from data_plane.gateway.routes import Payload
from data_plane.query.cursor import MAX_CURSOR

SortText = Annotated[str, msgspec.Meta(max_length=600)]


class Query(Payload, frozen=True, kw_only=True):
    """Body of a query. `sort` names fields, a `-` before one turns it round; `explain` adds how it is answered."""

    filter: dict[str, Any] = msgspec.field(default_factory=dict)
    sort: Annotated[list[SortText], msgspec.Meta(max_length=2)] = msgspec.field(default_factory=list)
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 25
    cursor: Annotated[str, msgspec.Meta(max_length=MAX_CURSOR)] | None = None
    explain: bool = False
