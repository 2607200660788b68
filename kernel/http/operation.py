"""What a route tells of itself beyond its signature; the OpenAPI document is made of both."""

from typing import Any, Final, get_args

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler

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
    in_read_only: bool = False
    """Whether it goes on where nothing may change, though it is no GET."""


def answers(
    *given: tuple[int, Any, str], errors: tuple[type[NatterError], ...] = (), in_read_only: bool = False
) -> dict[str, Any]:
    """A handler's `opt`: `opt=answers((201, ChannelView, "It was made now."), errors=(ChannelExists,))`."""
    return {OPERATION: Operation(tuple(Answer(*answer) for answer in given), errors, in_read_only)}


def changes(handler: BaseRouteHandler) -> bool:
    """Whether a route changes something: all that are not GET, but for those that say otherwise."""
    methods: frozenset[str] = frozenset(getattr(handler, "http_methods", ()))
    operation: Operation | None = handler.opt.get(OPERATION)
    return not methods <= {"GET", "HEAD", "OPTIONS"} and not (operation is not None and operation.in_read_only)


def body_type(route: HTTPRouteHandler) -> Any:
    """What a route's body decodes to; null when it takes none. That a body may be left out does not make it null."""
    field = route.parsed_data_field
    if field is None:
        return None
    if not field.is_optional:
        return field.annotation
    return next(kind for kind in get_args(field.annotation) if kind is not type(None))
