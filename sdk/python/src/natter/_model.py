"""What every result is: a frozen dataclass made from JSON, which keeps what it does not know.

A newer server may add fields. They are in `extra`, under their JSON names, until an SDK of that age gives them a name.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

_Convert = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A JSON object with named fields."""

    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Fields that this version of the SDK does not know, by their JSON names."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From decoded JSON. Raises `TypeError` or `ValueError` when it is no such object."""
        if not isinstance(data, Mapping):
            raise TypeError(f"{cls.__name__} is made from an object, not from {type(data).__name__}")
        plan = _plan(cls)
        known: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in data.items():
            convert = plan.get(name)
            if convert is None:
                extra[name] = value
            else:
                known[name] = convert(value)
        return cls(**known, extra=extra)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, `extra` included."""
        said = {item.name: to_json(getattr(self, item.name)) for item in fields(self) if item.name != "extra"}
        return {**said, **self.extra}


def to_json(value: Any) -> Any:
    """What `json.dumps` takes: models become objects, times RFC 3339 in UTC with milliseconds."""
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    return value


def rfc3339(moment: datetime) -> str:
    """A time as the API takes it. Raises `ValueError` for one without a zone, which could mean any moment."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: use datetime.now(timezone.utc), or .astimezone()")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_is(value: Any) -> Any:
    return value


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value)


_plans: dict[type[Model], Mapping[str, _Convert]] = {}


def _plan(model: type[Model]) -> Mapping[str, _Convert]:
    """How each field is read; worked out once."""
    plan = _plans.get(model)
    if plan is None:
        hints = get_type_hints(model)
        plan = {item.name: _reader(hints[item.name]) for item in fields(model) if item.name != "extra"}
        _plans[model] = plan
    return plan


def _reader(hint: Any) -> _Convert:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (_reader(arg) for arg in args if arg is not type(None))
        return _as_is if inner is _as_is else lambda value: None if value is None else inner(value)
    if origin is list:
        each = _reader(args[0])
        return _as_is if each is _as_is else lambda value: [each(item) for item in value]
    if origin is dict:
        of = _reader(args[1])
        return _as_is if of is _as_is else lambda value: {name: of(item) for name, item in value.items()}
    if hint is datetime:
        return _moment
    if isinstance(hint, type) and issubclass(hint, Model):
        return hint.from_dict
    return _as_is
