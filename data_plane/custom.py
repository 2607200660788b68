"""Limits of the free-form JSON that customers attach to things: `custom` fields and attachments."""

import re
from typing import Any, Final

import orjson

from kernel.errors import InvalidInput
from kernel.http.body import holds_nul

MAX_CUSTOM_BYTES: Final = 5_000
MAX_DEPTH: Final = 8
"""Levels of objects and lists inside each other; the value itself is the first."""
LEAST: Final = 1e-30
MOST: Final = 2.0**53
"""Between these a float is kept as it came. PostgreSQL keeps decimals: it writes a whole number as an integer, which
beyond 2^53 is not the float's own value, and others with all their zeros."""

_NESTS: Final = (dict, list)
_UNUSUAL: Final = re.compile(rb"[0-9]e[-+0-9]|[0-9]{16}")
"""What a float beyond these limits looks like in JSON, and some text."""


def check_json(value: Any, *, field: str, max_bytes: int) -> bytes:
    """Return the value as JSON bytes.

    Raises `InvalidInput` that names the field when the JSON is longer or deeper than allowed, or holds what the
    database cannot store: U+0000, half a surrogate pair, a number that it would not give back as it came.
    """
    if _deeper_than(value, MAX_DEPTH):
        raise InvalidInput(f"`{field}` is nested deeper than {MAX_DEPTH} levels.", field=field)
    try:
        encoded = orjson.dumps(value)
    except TypeError as error:
        raise InvalidInput(f"`{field}` holds a value that cannot be stored: {error}.", field=field) from error
    if len(encoded) > max_bytes:
        raise InvalidInput(f"`{field}` is {len(encoded):,} bytes as JSON; at most {max_bytes:,} fit.", field=field)
    if _UNUSUAL.search(encoded) and _holds_strange_number(value):
        raise InvalidInput(
            f"`{field}` holds a number that is too large or too small to be kept as it is: with a fraction or exponent "
            "a number is 0, or from 1e-30 to 2^53. Send it as text.",
            field=field,
        )
    # Only an escape can stand for NUL in encoded JSON, so look closer only when there is one.
    if b"\\u0000" in encoded and holds_nul(value):
        raise InvalidInput(f"`{field}` holds a NUL character (\\u0000), which text cannot store.", field=field)
    return encoded


def check_custom(custom: dict[str, Any] | None, *, field: str = "custom") -> dict[str, Any]:
    """Return a `custom` object, `{}` for null. Raises `InvalidInput` as `check_json` does."""
    if not custom:
        return {}
    check_json(custom, field=field, max_bytes=MAX_CUSTOM_BYTES)
    return custom


def _holds_strange_number(value: Any) -> bool:
    """Whether a float would come back as another number, or be written out in hundreds of digits."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, float):
            if item and not LEAST <= abs(item) < MOST:
                return True
        elif isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False


def _deeper_than(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            inner
            for item in level
            if isinstance(item, _NESTS)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return any(isinstance(item, _NESTS) for item in level)
