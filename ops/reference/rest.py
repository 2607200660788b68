"""`rest.md`: every public route."""

from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from control_plane.locate.routes import locate_app
from data_plane.features import REST
from data_plane.idempotency import LIFETIME
from ops.reference.text import describe, field_table, fill, paragraph, table

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
    finding = "## Finding an app\n\nThe control plane answers this one, to anybody."
    sections.append(f"{finding}\n\n{_section(locate_app)}")
    return fill("rest.md", hours=int(LIFETIME.total_seconds() // 3600), sections="\n\n".join(sections))


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
