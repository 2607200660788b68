"""`natter/resources/`: the routes as methods, for the client that blocks and for the one that is awaited."""

import re
from typing import Final

from ops.reference.python_sdk.names import RESOURCES
from ops.reference.python_sdk.routes import Argument, Route
from ops.reference.python_sdk.text import HEADER, camel, constant, docstring, lower

PAGERS: Final = ("async_newer", "async_older", "async_pages", "newer", "older", "pages")


def resource_module(resource: str, routes: list[Route]) -> str:
    """One file: the operations, and the two classes."""
    code = "".join(_operation(route) for route in routes) + "".join(
        _class(resource, routes, way) for way in (False, True)
    )
    shadowed = any(route.name.method == "list" for route in routes)
    code = code.replace("LIST[", "builtins.list[" if shadowed else "list[")
    return HEADER.format(title=f"`client.{resource}`: {lower(RESOURCES[resource])}") + _imports(code) + code


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
