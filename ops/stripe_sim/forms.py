"""Parameters: from form encoding with nested brackets to checked values.

A route declares what it takes as a dictionary: a name with a reader (`text`, `whole`, …), a dictionary for a nested
object, or a list of one dictionary or reader. Stripe's other parameters are refused by name, never ignored, so that
nobody takes the simulator's silence for support.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from ops.stripe_sim.errors import Unfit

Spec = dict[str, Any]
Form = dict[str, Any]
_DEEPEST = 8


def decode(body: str) -> Form:
    """`a[b]=1&c[0][d]=2&e[]=3` as nested dictionaries and lists of strings. Raises `Unfit`."""
    root: Form = {}
    for name, value in parse_qsl(body, keep_blank_values=True):
        head, _, rest = name.partition("[")
        path = [head, *(part.removesuffix("]") for part in rest.split("["))] if rest else [head]
        if len(path) > _DEEPEST:
            raise _unfit("Parameters are nested too deeply.", name)
        where = root
        for index, part in enumerate(path):
            key = part or str(len(where))
            if index == len(path) - 1:
                where[key] = value
            else:
                below = where.setdefault(key, {})
                if not isinstance(below, dict):
                    raise _unfit(f"Invalid parameter: {name}", name)
                where = below
    return {name: _lists(value) for name, value in root.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(each) for key, each in value.items()}


def read(form: Form, spec: Spec, path: str = "") -> dict[str, Any]:
    """What was given, checked and converted; an empty string unsets and reads as `None`. Raises `Unfit`."""
    result = {}
    for name, value in form.items():
        where = f"{path}[{name}]" if path else name
        if name not in spec:
            raise Unfit(
                400,
                "invalid_request_error",
                f"Received unknown parameter: {where}. (Or the simulator does not support it; see docs/stripe-sim.md.)",
                code="parameter_unknown",
                param=where,
            )
        result[name] = _value(value, spec[name], where)
    return result


def _value(value: Any, spec: Any, where: str) -> Any:
    if value == "" and spec is not metadata:
        return None
    if isinstance(spec, dict):
        if not isinstance(value, dict):
            raise _unfit(f"Invalid object: {where}", where)
        return read(value, spec, where)
    if isinstance(spec, list):
        if isinstance(value, dict):
            value = list(value.values())
        if not isinstance(value, list):
            raise _unfit(f"Invalid array: {where}", where)
        return [_value(each, spec[0], f"{where}[{index}]") for index, each in enumerate(value)]
    assert callable(spec)
    return spec(value, where)


def require(values: dict[str, Any], *names: str) -> None:
    """Raises `Unfit` for the first of the names that is not there."""
    for name in names:
        if values.get(name) is None:
            raise Unfit(
                400,
                "invalid_request_error",
                f"Missing required param: {name}.",
                code="parameter_missing",
                param=name,
            )


def text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _unfit(f"Invalid string: {where}", where)
    if len(value) > 5_000:
        raise _unfit(f"Invalid string: {where} is too long.", where)
    return value


def whole(value: Any, where: str) -> int:
    try:
        return int(text(value, where))
    except ValueError:
        raise Unfit(
            400, "invalid_request_error", f"Invalid integer: {value}", code="parameter_invalid_integer", param=where
        ) from None


def number(value: Any, where: str) -> Decimal:
    try:
        result = Decimal(text(value, where))
    except InvalidOperation:
        result = Decimal("nan")
    if not result.is_finite():
        raise _unfit(f"Invalid decimal: {value}", where)
    return result


def flag(value: Any, where: str) -> bool:
    if value not in ("true", "false"):
        raise _unfit(f"Invalid boolean: {value}", where)
    return bool(value == "true")


def moment(value: Any, where: str) -> int | str:
    """Seconds since 1970, or the word `now`."""
    return "now" if value == "now" else whole(value, where)


def anything(value: Any, where: str) -> Any:
    return value


def one_of(*words: str) -> Callable[[Any, str], str]:
    """A reader of one of these words."""

    def read_word(value: Any, where: str) -> str:
        if value not in words:
            raise _unfit(f"Invalid {where}: must be one of {', '.join(words)}", where)
        return str(value)

    return read_word


def metadata(value: Any, where: str) -> dict[str, str] | None:
    """At most 50 keys of 40 characters, values of 500; an empty string clears all."""
    if value == "":
        return None
    if not isinstance(value, dict):
        raise _unfit(f"Invalid metadata: {where}", where)
    for key, each in value.items():
        if not isinstance(each, str) or len(key) > 40 or len(each) > 500:
            raise _unfit(f"Metadata keys have at most 40 characters and values 500: {key}", where)
    return value


def merged(before: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Metadata after an update: keys are set one by one, an empty value removes its key, `None` all."""
    if given is None:
        return {}
    return {key: value for key, value in (before | given).items() if value != ""}


def _unfit(message: str, param: str) -> Unfit:
    return Unfit(400, "invalid_request_error", message, param=param)
