"""What a URL and the headers of an API request may hold; refused before anything is done."""

import re
from functools import cache
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from litestar import Request
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.utils.signature import ParsedSignature

from kernel.errors import InvalidInput, Malformed
from kernel.http.operation import OPERATION, body_type
from kernel.http.wording import shorten

API: Final = ("/v1/", "/internal/")
"""Paths that programs call. Pages for people are kinder to what stands in an address."""
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
SINGLE: Final = frozenset({b"authorization", b"content-type", b"idempotency-key", b"origin"})
"""Headers of which two would contradict each other."""


async def check_request(request: Request[Any, Any, Any]) -> None:
    """A `before_request` hook. Raises `Malformed` or `InvalidInput` that names the parameter or header."""
    scope, route = request.scope, request.route_handler
    if "\x00" in scope["path"]:
        raise InvalidInput("The path holds a NUL character.")
    if not scope["path"].startswith(API):
        return
    seen: set[bytes] = set()
    for name, _ in scope["headers"]:
        if name in SINGLE:
            if name in seen:
                raise Malformed(f"The header `{name.decode()}` came twice; send it once.", field=name.decode())
            seen.add(name)
    if query := scope.get("query_string"):
        _check_query(query.decode("latin-1"), route)
    if isinstance(route, HTTPRouteHandler) and _needs_body(route) and not await request.body():
        raise InvalidInput("This request needs a JSON body.", field="body")


def _check_query(query: str, route: BaseRouteHandler) -> None:
    seen: set[str] = set()
    for pair in filter(None, query.split("&")):
        raw, _, value = pair.partition("=")
        name = _decode(raw, raw)
        if "\x00" in name or "\x00" in _decode(value, name):
            raise InvalidInput("The query holds a NUL character, which text cannot store.", field=shorten(name))
        if name in seen:
            raise InvalidInput(f"`{shorten(name)}` is in the query twice; give it once.", field=shorten(name))
        seen.add(name)
        if OPERATION in route.opt and name not in (known := _parameters(route)):
            there = f"; there are {', '.join(f'`{one}`' for one in known)}" if known else ", and no other"
            raise InvalidInput(f"There is no query parameter `{shorten(name)}`{there}.", field=shorten(name))


def _decode(text: str, name: str) -> str:
    if _BAD_PERCENT.search(text):
        raise Malformed(
            "The query holds a `%` that begins no percent-encoded byte; write `%25` for the character itself.",
            field=shorten(name),
        )
    try:
        return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode()
    except UnicodeDecodeError as error:
        raise Malformed("The query is not UTF-8; percent-encode UTF-8.", field=shorten(name)) from error


@cache
def _needs_body(route: HTTPRouteHandler) -> bool:
    field = route.parsed_data_field
    return body_type(route) is not None and field is not None and not field.is_optional


@cache
def _parameters(route: BaseRouteHandler) -> tuple[str, ...]:
    """The query parameters that a route and what it depends on ask for."""
    names: dict[str, None] = {}
    dependencies = route.resolve_dependencies()

    def collect(signature: ParsedSignature) -> None:
        for name, field in signature.parameters.items():
            provided: Provide | None = dependencies.get(name)
            if provided is not None:
                collect(provided.parsed_fn_signature)
            elif isinstance(field.kwarg_definition, QueryParameter):
                names[field.kwarg_definition.name or name] = None

    collect(route.parsed_fn_signature)
    return tuple(names)
