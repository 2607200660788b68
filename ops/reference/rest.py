"""`rest.md`: every public route."""

from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from control_plane.locate.routes import locate_app
from data_plane.features import REST
from ops.reference.text import describe, field_table, paragraph, table

_HEAD: Final = """\
# REST

Generated from the code by `make reference`.

The address is the `url` of your app, from `natter tenant create` or from `GET /v1/locate`. Bodies are JSON; unknown fields are
refused. Every request carries `Authorization: Bearer …` with one of:

- a **secret key** (`sk_…`), from your server only. It may do everything its scopes allow, for any user; where an act needs somebody who
  does it, name the user with `user_id`.
- a user's **access token**, from apps. It acts for that user and sees what that user may see. From a web page, the page's origin must be
  among the app's allowed origins.

What a caller may not see is answered with 404, as what is not there. Errors are in [errors.md](errors.md). Lists answer
`next_cursor`; give it back as `cursor` for the next page, until it is null. A `POST` may carry `Idempotency-Key` (1–200 characters): the
same key with the same request gets the first answer again. A message needs none: its own `id`, a UUIDv7 that you make, is enough.
Times are RFC 3339, UTC, with milliseconds.
"""

_ORDER: Final = {"GET": 1, "POST": 0, "PUT": 2, "PATCH": 3, "DELETE": 4}


def rest_page() -> str:
    """The page."""
    sections = []
    handlers = [handler for handler in REST if isinstance(handler, HTTPRouteHandler)]
    groups: dict[str, list[HTTPRouteHandler]] = {}
    for handler in handlers:
        groups.setdefault(_path(handler).split("/")[2], []).append(handler)
    for group, members in groups.items():
        members.sort(key=lambda handler: (_path(handler), _ORDER[_method(handler)]))
        sections.append(f"## {group.capitalize()}\n\n" + "\n\n".join(map(_section, members)))
    sections.append(
        "## Finding an app\n\nThe control plane answers this one (port 8000), to anybody.\n\n" + _section(locate_app)
    )
    return _HEAD + "\n" + "\n\n".join(sections) + "\n"


def _path(handler: HTTPRouteHandler) -> str:
    return min(handler.paths).replace(":str", "")


def _method(handler: HTTPRouteHandler) -> str:
    return str(min(handler.http_methods))


def _section(handler: HTTPRouteHandler) -> str:
    hints = get_type_hints(handler.fn, include_extras=True)
    parts = [f"### {_method(handler)} {_path(handler)}", paragraph(handler.fn)]
    query = [[f"`{_name(name, hint)}`", _query(hint)] for name, hint in hints.items() if _is_query(hint)]
    if query:
        parts.append(table(["query", ""], query))
    if "data" in hints:
        parts.append(field_table(_struct(hints["data"])))
    return "\n\n".join(parts)


def _struct(hint: Any) -> type[msgspec.Struct]:
    """The body's struct inside whatever marks it as a body."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    for arg in get_args(hint):
        if isinstance(arg, type) and issubclass(arg, msgspec.Struct):
            return arg
        if get_args(arg):
            return _struct(arg)
    raise ValueError(f"no body in {hint}")


def _is_query(hint: Any) -> bool:
    return get_origin(hint) is Annotated and any(isinstance(arg, QueryParameter) for arg in get_args(hint))


def _mark(hint: Any) -> Any:
    return next(arg for arg in get_args(hint) if isinstance(arg, QueryParameter))


def _name(name: str, hint: Any) -> str:
    return getattr(_mark(hint), "name", None) or name


def _query(hint: Any) -> str:
    mark = _mark(hint)
    said = describe(get_args(hint)[0])
    return f"{said}, {mark.ge:,}–{mark.le:,}" if isinstance(getattr(mark, "le", None), int) else said
