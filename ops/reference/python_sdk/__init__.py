"""The generated part of `sdk/python`: a method for every route, a class for every answer and for every code."""

import json
from pathlib import Path
from typing import Any, Final

from ops.reference.openapi import openapi_json
from ops.reference.python_sdk.errors import errors_module
from ops.reference.python_sdk.models import models_module, params_module
from ops.reference.python_sdk.resources import resource_module, resources_package
from ops.reference.python_sdk.routes import grouped
from ops.reference.python_sdk.types import name_of, names_in, reachable

PACKAGE: Final = Path(__file__).parents[3] / "sdk" / "python" / "src" / "natter"


def python_sdk() -> dict[Path, str]:
    """Every generated file of the package."""
    document = json.loads(openapi_json())
    schemas = document["components"]["schemas"]
    answered, bodies = _begin(document)
    results = reachable(schemas, answered)
    sent = reachable(schemas, bodies) - bodies
    # A page's wrapper of one field is unwrapped, and needs no class.
    needed = [name for name in schemas if name in results and not _is_wrapper(schemas[name], name, answered)]
    groups = grouped(document, frozenset(needed))
    files = {f"resources/{name}.py": resource_module(name, routes) for name, routes in groups.items()}
    files["resources/__init__.py"] = resources_package(list(groups))
    files["models.py"] = models_module(schemas, needed)
    files["params.py"] = params_module(schemas, [name for name in schemas if name in sent])
    files["errors.py"] = errors_module()
    return {PACKAGE / name: text for name, text in files.items()}


def _begin(document: dict[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The components that answers and bodies are."""
    answered: set[str] = set()
    bodies: set[str] = set()
    for item in document["paths"].values():
        for method, operation in item.items():
            if method == "servers":
                continue
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    answered |= set(names_in(response.get("content", {}).get("application/json", {}).get("schema", {})))
            bodies |= set(names_in(operation.get("requestBody", {}).get("content", {})))
    return frozenset(answered), frozenset(bodies)


def _is_wrapper(schema: dict[str, Any], name: str, answered: frozenset[str]) -> bool:
    fields = list(schema["properties"].values())
    if name not in answered or len(fields) != 1:
        return False
    return name_of(fields[0]) is not None or name_of(fields[0].get("items", {})) is not None
