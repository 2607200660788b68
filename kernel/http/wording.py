"""What msgspec says of a value that does not fit, in words that name the field and how to mend it."""

import re
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from kernel.errors import InvalidInput

_MOST: Final = 64
"""Characters of a caller's own text that an error repeats."""
_JSON: Final = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}
_NAMES: Final = re.compile(r"`([a-z_ |]+)`")
_MISSING: Final = "Object missing required field `"
_UNKNOWN: Final = "Object contains unknown field `"
_ENUM: Final = "Invalid enum value "
_KEY_OF: Final = "key` in `"
"""Before the place of an object one of whose names is not as it should be."""
_REGEX: Final = " matching regex '"
_KNOWN: Final = {
    "[A-Za-z0-9_.@-]": "must be 1 to 64 characters of A-Z a-z 0-9 _ . @ -",
    "msg_[0-7]": "must be `msg_` followed by 26 characters of 0-9 and a-z without i, l, o, u",
    "[a-z0-9_-]": "must be 1 to 32 characters of a-z 0-9 _ -",
}
"""Patterns of this API that are easier said than read."""


def invalid(error: msgspec.ValidationError, kind: Any = None) -> InvalidInput:
    """The error to show for a JSON value that is no `kind`."""
    said, _, place = str(error).rpartition(" - at `")
    place = place.removeprefix(_KEY_OF)
    said, path = (said, place.rstrip("`").removeprefix("$").removeprefix(".")) if said else (place, "")
    if said.startswith(_MISSING):
        field = _join(path, said.removeprefix(_MISSING).rstrip("`"))
        return InvalidInput(f"`{field}` is required.", field=field)
    if said.startswith(_UNKNOWN):
        field = _join(path, shorten(said.removeprefix(_UNKNOWN)[:-1]))
        known = ", ".join(f"`{name}`" for name in _fields(kind)) if not path else ""
        return InvalidInput(f"There is no field `{field}`{f'; there are {known}' if known else ''}.", field=field)
    if said.startswith(_ENUM) and (choices := _choices(kind, path)):
        return InvalidInput(f"`{path}` must be one of {', '.join(choices)}.", field=path)
    if not path:
        return InvalidInput(f"The body is not as it should be: {lower(in_words(said))}.")
    return InvalidInput(f"`{path}`: {lower(in_words(said))}.", field=path)


def in_words(said: str) -> str:
    """A message of msgspec in JSON's own words."""
    if _REGEX in said:
        for pattern, words in _KNOWN.items():
            if pattern in said:
                return words
    said = _NAMES.sub(lambda name: f"`{' or '.join(_JSON.get(part, part) for part in name[1].split(' | '))}`", said)
    return shorten(said, 4 * _MOST)


def shorten(text: str, most: int = _MOST) -> str:
    """The text, or its beginning."""
    return text if len(text) <= most else text[: most - 1] + "…"


def lower(said: str) -> str:
    """With a small first letter."""
    return said[:1].lower() + said[1:]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fields(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [field.encode_name for field in msgspec.structs.fields(kind)]
    return []


def _choices(kind: Any, path: str) -> list[str]:
    """The values of a field of the body itself that has a fixed set of them."""
    if path not in _fields(kind):
        return []
    return [f"`{value}`" for value in _literals(get_type_hints(kind)[path])]


def _literals(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(value for arg in get_args(hint) for value in _literals(arg))
