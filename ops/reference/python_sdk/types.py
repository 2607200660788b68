"""Python types out of the document's schemas: of results, and of arguments."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
_SCALARS: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


def name_of(schema: Schema) -> str | None:
    """The component that a reference points to."""
    said = schema.get("$ref")
    return said.rpartition("/")[2] if isinstance(said, str) else None


def without_null(schema: Schema) -> tuple[Schema, bool]:
    """The schema, and whether null is allowed beside it."""
    if "anyOf" in schema:
        rest = [item for item in schema["anyOf"] if item.get("type") != "null"]
        if len(rest) == 1:
            return rest[0], len(rest) < len(schema["anyOf"])
    if isinstance(schema.get("type"), list):
        (kind,) = (item for item in schema["type"] if item != "null")
        kept = {**schema, "type": kind}
        if "enum" in schema:
            kept["enum"] = [value for value in schema["enum"] if value is not None]
        return kept, "null" in schema["type"]
    return schema, False


def result(schema: Schema) -> str:
    """The type of a result's field. Words are `str`, not literals: a newer server may say others."""
    inner, nullable = without_null(schema)
    if nullable:
        return f"{result(inner)} | None"
    if name := name_of(schema):
        return name
    if "enum" in schema:
        return f"Literal[{schema['enum'][0]}]" if schema["enum"] in ([True], [False]) else "str"
    if schema.get("format") == "date-time":
        return "datetime"
    match schema.get("type"):
        case "array":
            return f"list[{result(schema['items'])}]"
        case "object":
            more = schema.get("additionalProperties")
            return f"dict[str, {result(more) if isinstance(more, dict) else 'Any'}]"
        case kind:
            return _SCALARS[str(kind)]


def argument(schema: Schema, results: frozenset[str]) -> str:
    """The type of an argument: as wide as can be sent. `results` are the components that are models, too."""
    inner, nullable = without_null(schema)
    if nullable:
        return f"{argument(inner, results)} | None"
    if name := name_of(schema):
        return f"params.{name} | models.{name}" if name in results else f"params.{name}"
    if "enum" in schema:
        words = list(schema["enum"])
        if {"true", "false"} <= set(words):
            return " | ".join(["bool", *(f'Literal["{word}"]' for word in words if word not in ("true", "false"))])
        return "Literal[" + ", ".join(f'"{word}"' for word in words) + "]"
    if schema.get("format") == "date-time":
        return "datetime"
    match schema.get("type"):
        case "array":
            return f"Sequence[{argument(schema['items'], results)}]"
        case "object":
            more = schema.get("additionalProperties")
            return f"Mapping[str, {argument(more, results) if isinstance(more, dict) else 'Any'}]"
        case "string" if str(schema.get("pattern", "")).startswith("^([0-9]"):
            return "str | int"  # a message's id or its `seq`
        case kind:
            return _SCALARS[str(kind)]


def names_in(schema: Any) -> Iterable[str]:
    """All components that a schema refers to, itself not followed."""
    if isinstance(schema, Mapping):
        if name := name_of(schema):
            yield name
        for key, value in schema.items():
            if key not in ("example", "examples", "default"):
                yield from names_in(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from names_in(item)


def reachable(schemas: Mapping[str, Schema], begin: Iterable[str]) -> frozenset[str]:
    """Components that those begin with lead to, they included."""
    found: set[str] = set()
    waiting = list(begin)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += names_in(schemas[name])
    return frozenset(found)
