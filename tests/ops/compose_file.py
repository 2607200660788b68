"""compose.yaml as Compose reads it: merged anchors, and `${…}` replaced."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"

# https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md, of which the file uses these forms.
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<how>:-|:\?)(?P<rest>[^}]*))?\})")


class Unset(Exception):
    """A variable without which Compose refuses to start."""


def load(text: str | None = None) -> dict[str, Any]:
    """The document, with `${…}` as they stand."""
    document: dict[str, Any] = YAML(typ="safe").load(FILE.read_text() if text is None else text)
    return document


def variables(value: Any) -> "list[tuple[str, str | None, str | None]]":
    """Every `${NAME…}` in a document: its name, `:-` or `:?` or null, and what follows."""
    if isinstance(value, str):
        return [
            (match["name"], match["how"], match["rest"]) for match in _VARIABLE.finditer(value) if not match["escaped"]
        ]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for each in inner for found in variables(each)]


def interpolated(value: Any, environ: Mapping[str, str]) -> Any:
    """The document as Compose would use it. Raises `Unset`."""

    def of(match: "re.Match[str]") -> str:
        if match["escaped"]:
            return "$"
        found = environ.get(match["name"], "")
        if found or match["how"] is None:
            return found
        if match["how"] == ":?":
            raise Unset(f"{match['name']}: {match['rest']}")
        return match["rest"] or ""

    if isinstance(value, str):
        return _VARIABLE.sub(of, value)
    if isinstance(value, dict):
        return {name: interpolated(each, environ) for name, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, environ) for each in value]
    return value
