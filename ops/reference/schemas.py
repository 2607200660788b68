"""JSON Schemas out of the types of bodies and answers: msgspec's, with the words that stand beside the fields."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final, get_type_hints

import msgspec

REF: Final = "#/components/schemas/{name}"


class Schemas:
    """The components of all types that are given, and the schema of each."""

    def __init__(self, types: Iterable[Any]) -> None:
        kinds = list(dict.fromkeys(types))
        schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
        self._schemas: dict[Any, dict[str, Any]] = {
            kind: _tidy(schema) for kind, schema in zip(kinds, schemas, strict=True)
        }
        self.components = {component_name(name): _tidy(schema) for name, schema in components.items()}
        for kind in _classes(kinds):
            component = self.components[component_name(kind.__name__)]
            component["title"] = component_name(kind.__name__)
            fields = component["properties"]
            component["properties"] = {name: fields[name] for name in get_type_hints(kind) if name in fields}
            needed = component.pop("required", ())
            component["required"] = [name for name in component["properties"] if name in needed]
            if not component["required"]:
                del component["required"]
            for field, words in field_words(kind).items():
                fields[field]["description"] = words

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type; of a tuple, one of several."""
        if isinstance(kind, tuple):
            return {"oneOf": [self._schemas[one] for one in kind]}
        return self._schemas[kind]


def component_name(name: str) -> str:
    """`ChannelView` is a `Channel` to the world."""
    return name.removesuffix("View")


def field_words(kind: type) -> dict[str, str]:
    """The docstrings that follow the fields of a struct or a typed dictionary, those of its bases included."""
    words: dict[str, str] = {}
    for cls in [*reversed(kind.__mro__[1:]), *getattr(kind, "__orig_bases__", ()), kind]:
        if isinstance(cls, type) and cls.__module__.split(".")[0] in ("kernel", "control_plane", "data_plane"):
            words |= dict(_own_words(cls))
    return words


def _own_words(kind: type) -> Iterator[tuple[str, str]]:
    definition = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, after in itertools.pairwise(body):
        told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and told:
            assert isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            yield field.target.id, inspect.cleandoc(str(after.value.value)).replace("\n", " ")


def _classes(kinds: Iterable[Any]) -> set[type]:
    """Every struct and typed dictionary in these types, however deep."""
    found: set[type] = set()
    for info in msgspec.inspect.multi_type_info(kinds):
        _collect(info, found)
    return found


def _collect(info: Any, found: set[type]) -> None:
    if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.TypedDictType):
        if info.cls in found:
            return
        found.add(info.cls)
        for field in info.fields:
            _collect(field.type, found)
    for name in ("type", "item_type", "value_type"):
        if isinstance(inner := getattr(info, name, None), msgspec.inspect.Type):
            _collect(inner, found)
    for inner in getattr(info, "types", ()):
        _collect(inner, found)


def _tidy(schema: Any) -> Any:
    """JSON Schema as others read it: patterns in ECMA's dialect, names as the world knows them."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items()}
    if isinstance(tidy.get("pattern"), str):
        tidy["pattern"] = ecma(tidy["pattern"])
    if isinstance(tidy.get("$ref"), str):
        head, _, name = tidy["$ref"].rpartition("/")
        tidy["$ref"] = f"{head}/{component_name(name)}"
    if isinstance(tidy.get("description"), str):
        tidy["description"] = inspect.cleandoc(tidy["description"])
    return tidy


def ecma(pattern: str) -> str:
    r"""A pattern without Python's own `\A` and `\Z`; in JSON Schema `^` and `$` mean just that."""
    return pattern.replace(r"\A", "^").replace(r"\Z", "$")
