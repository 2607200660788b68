"""`natter/resources/`: the routes as methods, for the client that blocks and for the one that is awaited."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ops.reference.python_sdk.names import FRESH_IDS, NAMES, RESOURCES, Name
from ops.reference.python_sdk.text import HEADER, camel, constant, docstring
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
        f"`{item['name']}`: {_lower(item['description'].removesuffix(_ANCHORS)).rstrip('.')}"
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


PAGERS: Final = ("async_newer", "async_older", "async_pages", "newer", "older", "pages")

# -- writing ---------------------------------------------------------------------------------------------------------


def resource_module(resource: str, routes: list[Route]) -> str:
    """One file: the operations, and the two classes."""
    code = "".join(_operation(route) for route in routes) + "".join(
        _class(resource, routes, way) for way in (False, True)
    )
    shadowed = any(route.name.method == "list" for route in routes)
    code = code.replace("LIST[", "builtins.list[" if shadowed else "list[")
    return HEADER.format(title=f"`client.{resource}`: {_lower(RESOURCES[resource])}") + _imports(code) + code


def _imports(text: str) -> str:
    code = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)

    def used(module: str, *names: str) -> str:
        found = [name for name in names if re.search(rf"\b{name}\b", code)]
        return f"from {module} import {', '.join(found)}\n" if found else ""

    standard = "import builtins\n" if "builtins." in code else ""
    standard += used("collections.abc", "AsyncIterator", "Iterator", "Mapping", "Sequence")
    standard += used("datetime", "datetime")
    standard += used("typing", "Any", "Literal")
    package = used(".", *(name for name in ("models", "params") if f"{name}." in code)).replace("from . ", "from .. ")
    own = used(".._given", "NOT_GIVEN", "NotGiven")
    answers = [
        name for name in ("document", "either", "many", "nothing", "one") if re.search(rf"answer={name}\b", code)
    ]
    own += f"from .._operation import {', '.join(['Call', 'Operation', *answers])}\n"
    own += used(".._resource", "AsyncResource", "Resource", *PAGERS)
    return "\n" + standard + ("\n" if standard else "") + package + own


def _operation(route: Route) -> str:
    said = {
        "name": f'"{route.operation_id}"',
        "method": f'"{route.method}"',
        "path": f'"{route.path}"',
        "answer": route.answer,
        **route.settings,
    }
    lines = "".join(f"    {name}={value},\n" for name, value in said.items())
    return f"\n{constant(route.operation_id)} = Operation(\n{lines})\n"


def _class(resource: str, routes: list[Route], awaited: bool) -> str:
    name = ("Async" if awaited else "") + camel(resource)
    said = f"\n\nclass {name}({'AsyncResource' if awaited else 'Resource'}):\n{docstring(RESOURCES[resource], 4)}"
    for route in routes:
        said += _method(route, awaited)
        if route.page is not None:
            said += _history(route, awaited) if route.anchored else _iterator(route, awaited)
    return said


def _signature(arguments: list[Argument]) -> str:
    """`self`, then the path's parameters by position, then all others by name."""
    lines = ["self", *(str(item) for item in arguments if item.place == "path")]
    named = [str(item) for item in arguments if item.place != "path"]
    return ", ".join([*lines, "*", *named] if named else lines)


def _positional(route: Route) -> list[Argument]:
    """What may be given without a name: the path, and what a call is of no use without."""
    needed = [item for item in route.arguments if item.default is None]
    only = len(needed) == 1 and not any(item.place == "path" for item in route.arguments)
    return [Argument(a.name, a.kind, a.default, "path") if only and a in needed else a for a in route.arguments]


def _def(awaited: bool, name: str, arguments: list[Argument], kind: str) -> str:
    start = f"    {'async ' if awaited else ''}def {name}("
    line = f"{start}{_signature(arguments)}) -> {kind}:\n"
    if len(line) <= 121:
        return "\n" + line
    parts = ["self", *(str(item) for item in arguments if item.place == "path")]
    named = [str(item) for item in arguments if item.place != "path"]
    parts += ["*", *named] if named else []
    return f"\n{start}\n" + "".join(f"        {part},\n" for part in parts) + f"    ) -> {kind}:\n"


def _method(route: Route, awaited: bool) -> str:
    arguments = _positional(route)
    text = route.text
    if "keyed" in route.settings:
        arguments = [*arguments, Argument("idempotency_key", "str | None", "None", "key")]
        text += "\n\n`idempotency_key`: the same for the same thing to do. The client makes one for each call."
    if "fresh_id" in route.settings:
        text += "\n\n`id`: the client makes one when you do not (`natter.new_message_id`)."
    if route.name.portal:
        arguments = [*arguments, Argument("portal", "str", None, "base")]
        text += "\n\n`portal`: the portal's address."
    call = f"{'await ' if awaited else ''}self._call(\n            Call(\n"
    call += f"                operation={constant(route.operation_id)},\n"
    for place in ("path", "query", "body"):
        of = [item.name for item in route.arguments if item.place == place]
        if of or (place == "body" and route.has_body):
            call += _mapping(place, of)
    if "keyed" in route.settings:
        call += "                idempotency_key=idempotency_key,\n"
    if route.name.portal:
        call += "                base=portal,\n"
    call += "            )\n        )\n"
    give = "" if route.result == "None" else "return "
    return _def(awaited, route.name.method, arguments, route.result) + docstring(text, 8) + f"        {give}{call}"


def _mapping(place: str, names: list[str]) -> str:
    items = [f'"{name}": {name}' for name in names]
    line = f"                {place}={{{', '.join(items)}}},\n"
    if len(line) <= 121:
        return line
    return (
        f"                {place}={{\n"
        + "".join(f"                    {item},\n" for item in items)
        + "                },\n"
    )


def _iterator(route: Route, awaited: bool) -> str:
    assert route.page is not None
    field, of, most = route.page
    plain = [item for item in _positional(route) if item.name not in ("cursor", "limit", "explain")]
    arguments = [*plain, Argument("page_size", "int", str(most), "size")]
    name = route.name.each or ("iter" if route.name.method == "list" else f"iter_{route.name.method}")
    given = [item.name if item.place == "path" else f"{item.name}={item.name}" for item in plain]
    call = ", ".join([*given, "cursor=cursor", "limit=page_size"])
    kind = f"{'AsyncIterator' if awaited else 'Iterator'}[{of}]"
    text = f"`{field}` of all pages of `{route.name.method}`, each asked for when the one before is used up."
    pager = "async_pages" if awaited else "pages"
    fetch = f"lambda cursor: self.{route.name.method}({call})"
    line = f"        return {pager}({fetch}, lambda page: page.{field})\n"
    if len(line) > 121:
        inner = f"            {fetch},\n"
        if len(inner) > 121:
            parts = "".join(f"                {part},\n" for part in call.split(", "))
            inner = f"            lambda cursor: self.{route.name.method}(\n{parts}            ),\n"
        line = f"        return {pager}(\n{inner}            lambda page: page.{field},\n        )\n"
    return _def(False, name, arguments, kind) + docstring(text, 8) + line


def _history(route: Route, awaited: bool) -> str:
    """Two iterators: from the oldest on, and back from the newest."""
    assert route.page is not None
    field, of, most = route.page
    (subject,) = (item for item in route.arguments if item.place == "path")
    name = "iter" if route.name.method == "list" else f"iter_{route.name.method}"
    kind = f"{'AsyncIterator' if awaited else 'Iterator'}[{of}]"
    said = ""
    for suffix, side, text in (
        (
            "",
            "after",
            f"All {field}, the oldest first, or those after a message or a `seq`; those said meanwhile, too.",
        ),
        ("_back", "before", f"All {field}, the newest first, or those before a message or a `seq`."),
    ):
        start = Argument(side, "str | int", "0", "query")
        if suffix:
            start = Argument(side, "str | int | None", "None", "query")
        arguments = [subject, start, Argument("page_size", "int", str(most), "size")]
        pager = ("async_" if awaited else "") + ("older" if suffix else "newer")
        fetch = f"lambda at: self.{route.name.method}({subject.name}, {side}=at, limit=page_size)"
        said += _def(False, name + suffix, arguments, kind) + docstring(text, 8)
        said += f"        return {pager}({fetch}, {side})\n"
    return said


def resources_package(resources: list[str]) -> str:
    """`__init__`: what the clients inherit."""
    said = HEADER.format(title="The routes of the API, by what they are about.")
    said += "\nfrom functools import cached_property\n\nfrom .._resource import AsyncCaller, Caller\n"
    for name in resources:
        said += f"from .{name} import {', '.join(sorted([f'Async{camel(name)}', camel(name)]))}\n"
    both = [f"{way}{camel(name)}" for name in resources for way in ("Async", "")]
    listed = "".join(f'    "{name}",\n' for name in sorted([*both, "AsyncResources", "Resources"]))
    said += f"\n__all__ = [\n{listed}]\n"
    for way in ("", "Async"):
        text = "What a client that blocks has." if not way else "What a client that is awaited has."
        said += f"\n\nclass {way}Resources({way}Caller):\n{docstring(text, 4)}"
        for name in resources:
            said += f"\n    @cached_property\n    def {name}(self) -> {way}{camel(name)}:\n"
            said += docstring(RESOURCES[name], 8) + f"        return {way}{camel(name)}(self)\n"
    return said


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


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
