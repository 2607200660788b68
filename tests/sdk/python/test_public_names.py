"""The names that customers' code uses. Whoever changes one sees it here, in the diff of `public_names.txt`.

`NATTER_TEST_RECORD=1` writes the file anew.
"""

import dataclasses
import inspect
import os
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import natter
import natter.realtime
import natter.resources
import natter.webhooks

FILE = Path(__file__).with_name("public_names.txt")
MODULES = (natter, natter.errors, natter.models, natter.params, natter.realtime, natter.resources, natter.webhooks)


def public_names() -> Iterator[str]:
    """Each name with what it takes, or what it holds."""
    for module in MODULES:
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            yield f"{module.__name__}.{name}{told(thing)}"
            if inspect.isclass(thing) and thing.__module__.startswith("natter"):
                yield from (f"    {line}" for line in members(thing))


def told(thing: Any) -> str:
    """Its parameters."""
    if inspect.isclass(thing) and dataclasses.is_dataclass(thing):
        return "(" + ", ".join(field.name for field in dataclasses.fields(thing)) + ")"
    if isinstance(thing, types.ModuleType) or not callable(thing):
        return ""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return ""
    shown = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        optional = "=" if parameter.default is not parameter.empty else ""
        shown.append({2: "*", 4: "**"}.get(parameter.kind.value, "") + parameter.name + optional)
    return "(" + ", ".join(item for item in shown if item != "self") + ")"


def members(kind: type) -> Iterator[str]:
    """What a class of ours says itself, or inherits from one of ours that is not public."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("natter") and (base is kind or base.__name__.startswith("_")):
            found |= vars(base)
    for name in sorted(found):
        if not name.startswith("_"):
            yield name + told(getattr(kind, name, None))


def test_the_public_names_are_as_they_were() -> None:
    names = "\n".join(public_names()) + "\n"
    if os.environ.get("NATTER_TEST_RECORD"):
        FILE.write_text(names)
    assert names == FILE.read_text(), "a name of the SDK is another: a promise to customers; record it if it is meant"


def test_a_name_that_changes_would_be_noticed() -> None:
    names = list(public_names())
    assert "natter.new_message_id()" in names
    assert any(name.startswith("    send(channel_id, *, id=, text=, attachments=, custom=") for name in names)
    assert len(names) == len(FILE.read_text().splitlines())
