"""`natter/models.py` and `natter/params.py`: what comes back, and objects within what is sent."""

from collections.abc import Mapping

from ops.reference.python_sdk.names import COUNTS
from ops.reference.python_sdk.text import HEADER, docstring
from ops.reference.python_sdk.types import Schema, argument, result, without_null

_IMPORTS = """
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ._model import Model

"""
_PARAM_IMPORTS = """
from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict

"""


def models_module(schemas: Mapping[str, Schema], names: list[str]) -> str:
    """A frozen dataclass for each component, those before that others are made of."""
    ordered = _ordered(schemas, names)
    listed = "".join(f'    "{name}",\n' for name in sorted([*names, "Model"]))
    body = "".join(_model(name, schemas[name]) for name in ordered)
    return f"{HEADER.format(title='What the API answers.')}{_IMPORTS}__all__ = [\n{listed}]\n{body}"


def _ordered(schemas: Mapping[str, Schema], names: list[str]) -> list[str]:
    done: list[str] = []

    def place(name: str) -> None:
        if name in done or name not in names:
            return
        for schema in schemas[name].get("properties", {}).values():
            for other in names:
                if f'/{other}"' in str(schema).replace("'", '"'):
                    place(other)
        done.append(name)

    for name in names:
        place(name)
    return done


def _model(name: str, schema: Schema) -> str:
    said = f"\n\n@dataclass(frozen=True, kw_only=True)\nclass {name}(Model):\n"
    said += docstring(schema["description"], 4)
    required = schema.get("required", ())
    for number, (field, kind) in enumerate(schema.get("properties", {}).items()):
        said += ("\n" if number == 0 else "") + f"    {field}: {_typed(field, kind, field in required)}\n"
        if told := kind.get("description"):
            said += docstring(told, 4)
    return said


def _typed(field: str, schema: Schema, required: bool) -> str:
    """The annotation, with a default for what the server leaves out."""
    kind = result(schema)
    if required:
        return kind
    if kind.startswith("list["):
        return f"{kind} = field(default_factory=list)"
    if kind.startswith("dict["):
        return f"{kind} = field(default_factory=dict)"
    if kind == "bool":
        return "bool = False"
    if field in COUNTS:
        return f"{kind} = 0"
    return kind if kind.endswith(" | None = None") else f"{kind.removesuffix(' | None')} | None = None"


def params_module(schemas: Mapping[str, Schema], names: list[str]) -> str:
    """A `TypedDict` for each object within a request's body."""
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    said = f"{HEADER.format(title='Objects within what is sent.')}{_PARAM_IMPORTS}__all__ = [{listed}]\n"
    for name in names:
        schema = schemas[name]
        said += f"\n\nclass {name}(TypedDict, total=False):\n{docstring(schema['description'], 4)}\n"
        for field, kind in schema["properties"].items():
            of = argument(kind, frozenset())
            said += f"    {field}: {f'Required[{of}]' if field in schema.get('required', ()) else of}\n"
            if told := without_null(kind)[0].get("description") or kind.get("description"):
                said += docstring(told, 4)
    return said
