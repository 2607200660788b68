"""Holds a JSON answer against the annotated attributes of the `stripe` package's classes.

Wrong is: a key that the class does not have, a value of another type, a word that is not among the literals, and a
key missing that the class does not call optional.
"""

import inspect
import typing
from decimal import Decimal
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import stripe
from stripe import ListObject, StripeObject
from stripe._object_classes import get_object_class

NOTHING = type(None)


def wrong(thing: dict[str, Any]) -> list[str]:
    """What does not fit the class of `thing["object"]`, as `path: reason`."""
    found: list[str] = []
    _whole(thing, thing.get("object", "?"), found)
    return found


def _whole(thing: dict[str, Any], path: str, found: list[str]) -> None:
    kind = thing.get("object")
    if thing.get("deleted") is True and kind != "discount":
        if set(thing) != {"id", "object", "deleted"}:
            found.append(f"{path}: a deleted thing says only that")
        return
    if kind in ("list", "search_result"):
        if not {"data", "has_more", "url"} <= set(thing):
            found.append(f"{path}: a list without data, has_more or url")
        for index, each in enumerate(thing["data"]):
            _whole(each, f"{path}[{index}]({each.get('object')})", found)
        return
    cls = get_object_class("V1", str(kind))
    if cls is StripeObject:
        found.append(f"{path}: the package knows no {kind}")
        return
    _object(thing, cls, path, found)


def _object(thing: Any, cls: type, path: str, found: list[str]) -> None:
    if not isinstance(thing, dict):
        found.append(f"{path}: {type(thing).__name__} instead of an object")
        return
    hints = {
        name: hint
        for base in reversed(cls.__mro__)
        for name, hint in inspect.get_annotations(base).items()
        if issubclass(base, StripeObject) and base not in (StripeObject, dict) and not name.startswith("_")
    }
    hints = {name: hint for name, hint in hints.items() if get_origin(hint) is not typing.ClassVar}
    for name in thing:
        if name not in hints:
            found.append(f"{path}.{name}: unknown")
    for name, hint in hints.items():
        if name in thing:
            _value(thing[name], hint, f"{path}.{name}", found)
        elif not _optional(hint):
            found.append(f"{path}.{name}: missing")


def _optional(hint: Any) -> bool:
    return get_origin(hint) is Union and NOTHING in get_args(hint)


def _value(value: Any, hint: Any, path: str, found: list[str]) -> None:
    """Nothing is added when the value fits one of the hint's alternatives; else what the nearest one misses."""
    origin = get_origin(hint)
    if origin is Union:
        choices = [each for each in get_args(hint) if each is not NOTHING]
        if value is None:
            if not _optional(hint):
                found.append(f"{path}: null")
            return
        literals = [each for each in choices if get_origin(each) is Literal]
        if literals and isinstance(value, str):
            # `Union[Literal[…], str]` leaves room for Stripe's future words; the simulator has none of its own.
            choices = [each for each in choices if each is not str]
        tries: list[list[str]] = []
        for each in choices:
            misses: list[str] = []
            _value(value, each, path, misses)
            if not misses:
                return
            tries.append(misses)
        found += min(tries, key=lambda misses: (any("instead of" in miss for miss in misses), len(misses)))
    elif value is None:
        if hint is not Any:
            found.append(f"{path}: null")
    elif origin is Literal:
        if value not in get_args(hint):
            found.append(f"{path}: {value!r} is no word of {get_args(hint)[:6]}")
    elif origin in (list, typing.List):  # noqa: UP006 - the package says it so
        _list(value, get_args(hint)[0], path, found)
    elif isinstance(hint, (ForwardRef, str)):
        _forward(value, hint if isinstance(hint, str) else hint.__forward_arg__, path, found)
    elif origin is ListObject:
        if not isinstance(value, dict) or value.get("object") != "list":
            found.append(f"{path}: {type(value).__name__} instead of a list object")
        else:
            _whole(value, path, found)
    elif origin is not None and isinstance(origin, type) and issubclass(origin, StripeObject):
        if not isinstance(value, dict):
            found.append(f"{path}: {type(value).__name__} instead of a mapping")
            return
        for key, each in value.items():
            _value(each, get_args(hint)[0], f"{path}[{key}]", found)
    else:
        _plain(value, hint, path, found)


def _list(value: Any, hint: Any, path: str, found: list[str]) -> None:
    if not isinstance(value, list):
        found.append(f"{path}: {type(value).__name__} instead of a list")
        return
    for index, each in enumerate(value):
        _value(each, hint, f"{path}[{index}]", found)


def _forward(value: Any, name: str, path: str, found: list[str]) -> None:
    if not isinstance(value, dict) or "object" not in value:
        found.append(f"{path}: {type(value).__name__} instead of {name}")
        return
    cls = get_object_class("V1", value["object"])
    if name.split(".")[-1].split("[")[0].removesuffix("Resource") != cls.__name__ and name != "CardResource":
        found.append(f"{path}: {value['object']} instead of {name}")
    _whole(value, path, found)


def _plain(value: Any, hint: Any, path: str, found: list[str]) -> None:
    if hint is Any:
        return
    if isinstance(hint, type) and issubclass(hint, StripeObject):
        _object(value, hint, path, found)
        return
    fits = {
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, (int, float)) and not isinstance(value, bool),
        bool: isinstance(value, bool),
        str: isinstance(value, str),
        Decimal: isinstance(value, str) and value.replace(".", "", 1).lstrip("-").isdigit(),
    }
    if not fits.get(hint, False):
        found.append(f"{path}: {type(value).__name__} instead of {getattr(hint, '__name__', hint)}")


def api_version() -> str:
    """The API version that the installed package speaks."""
    return str(stripe.api_version)
