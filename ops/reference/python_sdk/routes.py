"""The routes of the document as methods: what each takes, how its answer is read, what else is known of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ops.reference.python_sdk.names import FRESH_IDS, NAMES, Name
from ops.reference.python_sdk.text import lower
from ops.reference.python_sdk.types import Schema, argument, name_of, without_null

_BODY_OF: Final = re.compile(r"^Body of [^.:]*[.:,]?\s*(and of [^:]*:\s*)?")
_ANCHORS: Final = " Give one of `before`, `after` and `around`."


@dataclass(frozen=True)
class Argument:
    """A parameter of a method."""

    name: str
    kind: str
    default: str | None
    """As Python has it; null when it must be given."""
    place: str
    """`path`, `query` or `body`."""
    told: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}" + (f" = {self.default}" if self.default is not None else "")


@dataclass(frozen=True)
class Route:
    """An operation of the document, ready to be written."""

    name: Name
    operation_id: str
    method: str
    path: str
    text: str
    arguments: list[Argument]
    answer: str
    """The expression that reads the result."""
    result: str
    """The method's return type."""
    settings: dict[str, str]
    """What else the operation is, as keyword arguments."""
    has_body: bool
    page: tuple[str, str, int] | None
    """The field of a page that holds its items, their type, and how many a page holds at most."""
    anchored: bool
    """Its pages lie before, after or around a message."""


def route_of(
    operation_id: str, method: str, path: str, operation: Schema, schemas: Mapping[str, Schema], results: frozenset[str]
) -> Route:
    """Read an operation."""
    name = NAMES.get(operation_id)
    if name is None:
        raise KeyError(f"the route {operation_id} has no name in the Python SDK: give it one in {__package__}.names")
    body = operation.get("requestBody")
    body_schema = schemas[name_of(body["content"]["application/json"]["schema"]) or ""] if body else None
    arguments = [*_parameters(operation, results), *(_fields(body_schema, results) if body_schema else [])]
    arguments.sort(key=lambda item: (item.place != "path", item.default is not None))
    settings: dict[str, str] = {}
    if any(item.name == "user_id" and item.place != "path" for item in arguments) and operation_id != "mintTokens":
        settings["acts"] = '"body"' if body and "user_id" in body_schema["properties"] else '"query"'  # type: ignore[index]
    if any(item["name"] == "Idempotency-Key" for item in operation.get("parameters", ())):
        settings["keyed"] = "True"
    if operation_id in FRESH_IDS:
        settings["fresh_id"] = f'"{FRESH_IDS[operation_id]}"'
    if not name.repeatable:
        settings["repeatable"] = "False"
    nullable = [item.name for item in arguments if item.place == "body" and "NotGiven | None" in item.kind]
    if nullable:
        settings["nullable"] = "frozenset({" + ", ".join(f'"{item}"' for item in sorted(nullable)) + "})"
    if operation["security"] == [{}]:
        settings["public"] = "True"
    answer, kind, page = _answer(operation, schemas)
    if name.removes or (method == "delete" and answer == "nothing"):
        settings["removes"] = "True"
    anchored = any(item.name == "around" for item in arguments)
    paged = anchored or any(item.name == "cursor" for item in arguments)
    return Route(
        name=name,
        operation_id=operation_id,
        method=method.upper(),
        path=path,
        text=_text(operation, body_schema),
        arguments=arguments,
        answer=answer,
        result=kind,
        settings=settings,
        has_body=body is not None,
        page=(*page, _most(operation, body_schema)) if page and paged else None,
        anchored=anchored,
    )


def _text(operation: Schema, body: Schema | None) -> str:
    said = [operation["description"]]
    if body and (more := _BODY_OF.sub("", body["description"]).strip()):
        said.append(more[0].upper() + more[1:])
    told = [item for item in operation.get("parameters", ()) if item["in"] == "query" and item.get("description")]
    lines = [
        f"`{item['name']}`: {lower(item['description'].removesuffix(_ANCHORS)).rstrip('.')}"
        for item in told
        if item["name"] not in ("limit", "cursor")
    ]
    ends = "." + (_ANCHORS if any(item["description"].endswith(_ANCHORS) for item in told) else "")
    return "\n\n".join([*said, *(["; ".join(lines) + ends] if lines else [])])


def _parameters(operation: Schema, results: frozenset[str]) -> list[Argument]:
    found = []
    for item in operation.get("parameters", ()):
        if item["in"] == "header":
            continue
        kind = argument(item["schema"], results)
        if item.get("required"):
            found.append(Argument(item["name"], kind, None, item["in"]))
        else:
            found.append(_optional(item["name"], item["schema"], kind, item["in"]))
    return found


def _fields(body: Schema, results: frozenset[str]) -> list[Argument]:
    found = []
    for name, schema in body["properties"].items():
        kind = argument(schema, results)
        if name in body.get("required", ()):
            found.append(Argument(name, kind, None, "body"))
        elif "default" not in schema:  # it stays as it is
            inner, null = without_null(schema)
            wide = f"{argument(inner, results)} | NotGiven{' | None' if null else ''}"
            found.append(Argument(name, wide, "NOT_GIVEN", "body"))
        else:
            found.append(_optional(name, schema, kind, "body"))
    return found


def _optional(name: str, schema: Schema, kind: str, place: str) -> Argument:
    default = schema.get("default")
    if isinstance(default, (bool, int, str)):
        return Argument(name, kind, f'"{default}"' if isinstance(default, str) else str(default), place)
    return Argument(name, kind if without_null(schema)[1] else f"{kind} | None", "None", place)


def _most(operation: Schema, body: Schema | None) -> int:
    for item in operation.get("parameters", ()):
        if item["name"] == "limit":
            return int(item["schema"]["maximum"])
    assert body is not None
    return int(body["properties"]["limit"]["maximum"])


def _answer(operation: Schema, schemas: Mapping[str, Schema]) -> tuple[str, str, tuple[str, str] | None]:
    """How the result is read, its type, and a page's items."""
    good = next(response for status, response in operation["responses"].items() if status.startswith("2"))
    if "content" not in good:
        return "nothing", "None", None
    schema = good["content"]["application/json"]["schema"]
    if "oneOf" in schema:
        kinds = [name_of(item) or "" for item in schema["oneOf"]]
        models = ", ".join(f"models.{kind}" for kind in kinds)
        return f"either({models})", " | ".join(f"models.{kind}" for kind in kinds), None
    name = name_of(schema)
    if name is None:
        return "document", "dict[str, Any]", None
    fields = schemas[name]["properties"]
    (first, kind), *others = fields.items()
    if not others and (of := name_of(kind)):
        return f'one("{first}", models.{of})', f"models.{of}", None
    if not others and kind.get("type") == "array" and (of := name_of(kind["items"])):
        return f'many("{first}", models.{of})', f"LIST[models.{of}]", None
    page = None
    if "next_cursor" in fields or "has_after" in fields:
        field, items = next((field, kind["items"]) for field, kind in fields.items() if kind.get("type") == "array")
        page = (field, f"models.{name_of(items)}" if name_of(items) else "str")
    return f"models.{name}.from_dict", f"models.{name}", page


def grouped(document: Mapping[str, Any], results: frozenset[str]) -> dict[str, list[Route]]:
    """All routes by resource, in the order of the names."""
    schemas = document["components"]["schemas"]
    routes = [
        route_of(operation["operationId"], method, path, operation, schemas, results)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    ]
    order = list(NAMES)
    routes.sort(key=lambda route: order.index(route.operation_id))
    groups: dict[str, list[Route]] = {}
    for route in routes:
        groups.setdefault(route.name.resource, []).append(route)
    return dict(sorted(groups.items()))
