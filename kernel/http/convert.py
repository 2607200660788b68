"""JSON values into structs, strictly: what is no such struct is refused by the field's name."""

import re
from typing import Any, Final

import msgspec

from kernel.http.wording import invalid

_FLOAT: Final = re.compile(r"Expected `int[ |a-z]*`, got `float` - at `\$((?:\.\w+|\[\d+\])+)`")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")
_MENDED: Final = 8
"""Whole numbers with a fraction of zero in one value; whoever sends more is told of the next."""


def convert(value: Any, kind: Any) -> Any:
    """The struct that a decoded JSON value stands for. Raises `InvalidInput`.

    JSON knows one kind of number: `5.0` is an integer, as JSON Schema has it. The value is mended in place then.
    """
    for tries_left in reversed(range(_MENDED)):
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            if not tries_left or not _mend(value, str(error)):
                raise invalid(error, kind) from error
    raise AssertionError("unreachable")


def _mend(value: Any, said: str) -> bool:
    """Make the number that msgspec complains of an integer; false when it is something else, or not whole."""
    found = _FLOAT.fullmatch(said)
    if found is None:
        return False
    steps: list[str | int] = [name or int(index) for name, index in _STEP.findall(found[1])]
    for step in steps[:-1]:
        value = value[step]
    number = value[steps[-1]]
    if not number.is_integer():
        return False
    value[steps[-1]] = int(number)
    return True
