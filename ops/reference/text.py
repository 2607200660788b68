"""Markdown out of docstrings and structs."""

import inspect
import re
import types
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec


def fill(template: str, **values: object) -> str:
    """A page from its template. Raises `KeyError` for a place that got no value."""
    text = (Path(__file__).with_name("templates") / template).read_text()
    return Template(text).substitute({name: str(value) for name, value in values.items()})


def as_json(value: Any) -> str:
    """JSON as people read it."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def paragraph(thing: Any) -> str:
    """A docstring in one line, paragraphs joined. Raises when there is none of its own."""
    doc = thing.__dict__.get("__doc__") if isinstance(thing, type) else thing.__doc__
    if not doc:
        raise ValueError(f"{thing} has no docstring, which the reference needs")
    return re.sub(r"\s+", " ", inspect.cleandoc(doc)).strip()


def cell(text: str) -> str:
    """Text that cannot break a table."""
    return text.replace("|", "\\|")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *([cell(text) for text in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def field_table(struct: type[msgspec.Struct]) -> str:
    """The fields of a body or packet: name, what it may be, whether it is needed."""
    hints = get_type_hints(struct, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(struct):
        need = "required" if field.required else _left_out(field)
        rows.append([f"`{field.encode_name}`", describe(hints[field.name]), need])
    return table(["field", "value", ""], rows)


def _left_out(field: msgspec.structs.FieldInfo) -> str:
    if field.default is msgspec.UNSET:
        return "stays as it is when left out"
    if field.default in (None, {}, msgspec.NODEFAULT):
        return "optional"
    return f"default `{msgspec.json.encode(field.default).decode()}`"


def describe(hint: Any) -> str:
    """A type with its limits in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = [_limits(meta) for meta in args[1:] if isinstance(meta, msgspec.Meta)]
        return ", ".join([describe(args[0]), *(limit for limit in limits if limit)])
    if origin in (Union, types.UnionType):
        kinds = [arg for arg in args if arg not in (type(None), msgspec.UnsetType)]
        said = " or ".join(describe(kind) for kind in kinds)
        return f"{said}, or null" if type(None) in args and msgspec.UnsetType in args else said
    if origin is Literal:
        return " ".join(f"`{arg}`" for arg in args)
    if origin is list:
        return f"list of ({describe(args[0])})"
    if origin is dict or hint is dict:
        return "object"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        inner = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(hint))
        return f"object of {inner}"
    return {str: "text", int: "integer", bool: "`true` or `false`", float: "number"}.get(hint, str(hint))


def _limits(meta: msgspec.Meta) -> str:
    said = []
    if meta.min_length and meta.max_length:
        said.append(f"{meta.min_length:,}–{meta.max_length:,} long")
    elif meta.max_length:
        said.append(f"at most {meta.max_length:,} long")
    if meta.ge is not None and meta.le is not None:
        said.append(f"{meta.ge:,}–{meta.le:,}")
    elif meta.ge is not None:
        said.append(f"at least {meta.ge:,}")
    if meta.pattern:
        said.append(f"matches `{meta.pattern}`")
    return ", ".join(said)
