"""What a route tells of itself beyond its signature; the OpenAPI document is made of both."""

from typing import Any, Final, get_args

import msgspec
from litestar.handlers import HTTPRouteHandler

from kernel.errors import NatterError

OPERATION: Final = "operation"
"""Where a handler's `opt` keeps its `Operation`."""


class Answer(msgspec.Struct, frozen=True):
    """One successful answer. `body` is its type, a tuple of types for one of several, null for no content."""

    status: int
    body: Any
    meaning: str


class Operation(msgspec.Struct, frozen=True):
    """The answers of a route, and the failures that only it or a few others know."""

    answers: tuple[Answer, ...]
    errors: tuple[type[NatterError], ...] = ()


def answers(*given: tuple[int, Any, str], errors: tuple[type[NatterError], ...] = ()) -> dict[str, Any]:
    """A handler's `opt`: `opt=answers((201, ChannelView, "It was made now."), errors=(ChannelExists,))`."""
    return {OPERATION: Operation(tuple(Answer(*answer) for answer in given), errors)}


def body_type(route: HTTPRouteHandler) -> Any:
    """What a route's body decodes to; null when it takes none. That a body may be left out does not make it null."""
    field = route.parsed_data_field
    if field is None:
        return None
    if not field.is_optional:
        return field.annotation
    return next(kind for kind in get_args(field.annotation) if kind is not type(None))
