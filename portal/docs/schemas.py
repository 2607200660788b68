"""JSON Schema, as OpenAPI 3.1 uses it, in words: what a field may be, and what is inside."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from portal.docs.markdown import inline

_WORDS: Final = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}
_NONE: Final = object()
_LONGEST_PATTERN: Final = 60
"""A longer one tells a reader nothing that the description does not."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type in words. `schema` names the component that it is, or is a list of."""

    words: str
    schema: str | None = None

    @property
    def said(self) -> Markup:
        """The words with their code set apart."""
        return inline(self.words)


@dataclass(frozen=True, slots=True)
class Field:
    """A property or a parameter."""

    name: str
    kind: Kind
    required: bool
    limits: tuple[str, ...]
    description: Markup

    @property
    def bounds(self) -> Markup:
        """The limits as a sentence."""
        sentence = ", ".join(self.limits)
        return inline(f"{sentence[:1].upper()}{sentence[1:]}.")


@dataclass(frozen=True, slots=True)
class Schema:
    """An object of the document's components."""

    name: str
    description: Markup
    fields: tuple[Field, ...]
    strict: bool
    """A request's: what is not listed is refused, and what is required must be there."""


class Schemas:
    """The components of a document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components: dict[str, Any] = document.get("components", {}).get("schemas", {})

    def all(self) -> list[Schema]:
        """Every component that has fields, by name."""
        return [self.get(name) for name, raw in sorted(self._components.items()) if "properties" in raw]

    def get(self, name: str) -> Schema:
        """A component. Raises `KeyError`."""
        raw = self._components[name]
        return _schema(name, raw, self.fields(raw))

    def of(self, raw: Mapping[str, Any]) -> list[Schema]:
        """The object or objects that a body may be; the parts of a choice each."""
        if "$ref" in raw:
            return [self.get(_name(raw))] if _name(raw) in self._components else []
        found = [schema for part in raw.get("anyOf", raw.get("oneOf", [])) for schema in self.of(part)]
        if not found and "properties" in raw:
            found = [_schema("", raw, self.fields(raw))]
        return found

    def fields(self, raw: Mapping[str, Any]) -> Iterator[Field]:
        """The properties, the required ones first."""
        required = set(raw.get("required", ()))
        for name, schema in sorted(raw.get("properties", {}).items(), key=lambda item: item[0] not in required):
            yield self.field(name, schema, required=name in required, description=schema.get("description", ""))

    def field(self, name: str, raw: Mapping[str, Any], *, required: bool, description: str) -> Field:
        """A field by its schema."""
        return Field(name, self.kind(raw), required, tuple(self._limits(raw)), inline(description))

    def kind(self, raw: Mapping[str, Any]) -> Kind:
        """What a value may be. A choice with null is told as `… or null`."""
        if "$ref" in raw:
            return Kind(_name(raw), _name(raw) if _name(raw) in self._components else None)
        if "enum" in raw:
            return Kind(" ".join(f"`{value}`" for value in raw["enum"]))
        if "const" in raw:
            return Kind(f"`{_json(raw['const'])}`")
        choices = raw.get("anyOf", raw.get("oneOf"))
        if choices:
            kinds = [self.kind(choice) for choice in choices]
            schema = next((kind.schema for kind in kinds if kind.schema), None)
            return Kind(" or ".join(dict.fromkeys(kind.words for kind in kinds)), schema)
        if isinstance(raw.get("type"), list):
            return Kind(" or ".join(_WORDS.get(part, part) for part in raw["type"]))
        if raw.get("type") == "array":
            inner = self.kind(raw.get("items", {}))
            return Kind(f"list of {inner.words}", inner.schema)
        if raw.get("format") == "date-time":
            return Kind("time")
        return Kind(_WORDS.get(raw.get("type", ""), raw.get("type", "any value")))

    def _limits(self, raw: Mapping[str, Any]) -> Iterator[str]:
        for choice in raw.get("anyOf", ()):
            yield from self._limits(choice)
        yield from _bounds(raw, "minLength", "maxLength", "characters")
        yield from _bounds(raw, "minItems", "maxItems", "items")
        yield from _bounds(raw, "minimum", "maximum", "")
        if len(raw.get("pattern", "")) in range(1, _LONGEST_PATTERN):
            yield f"matches `{raw['pattern']}`"
        default = raw.get("default", _NONE)
        if default is not _NONE and default not in (None, {}, []):
            yield f"default `{_json(default)}`"


def _schema(name: str, raw: Mapping[str, Any], fields: Iterator[Field]) -> Schema:
    return Schema(name, inline(raw.get("description", "")), tuple(fields), raw.get("additionalProperties") is False)


def _bounds(raw: Mapping[str, Any], low: str, high: str, unit: str) -> Iterator[str]:
    least, most = raw.get(low), raw.get(high)
    unit = f" {unit}" if unit else ""
    if least is not None and most is not None:
        yield f"{least:,} to {most:,}{unit}"
    elif most is not None:
        yield f"at most {most:,}{unit}"
    elif least is not None:
        yield f"at least {least:,}{unit}"


def _name(raw: Mapping[str, Any]) -> str:
    return str(raw["$ref"]).rpartition("/")[2]


def _json(value: Any) -> str:
    return {True: "true", False: "false", None: "null"}[value] if value in (True, False, None) else str(value)
