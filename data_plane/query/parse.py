"""From a filter's JSON to conditions on fields. Every refusal names the place: `filter.$or[1].name.$gt`."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from data_plane.query.errors import BadFilter
from data_plane.query.fields import CUSTOM_PATH, OF_TYPE, OPERATORS, RANGE, UNDECLARED, Field, FieldType, Resource

MAX_DEPTH: Final = 4
"""How deep `$and` and `$or` may stand in each other."""
MAX_CONDITIONS: Final = 30
MAX_IN: Final = 100
MAX_TEXT: Final = 256
MAX_WORDS: Final = 5
MAX_SORT: Final = 2
CUSTOM: Final = "custom."
_BREAKS: Final = re.compile(r"[\s!-/:-@\[-`{-~]+")
"""What parts words; the same as in `chat.words_of`."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Declared:
    """A declared custom field."""

    id: int
    type: FieldType
    ready: bool


@dataclass(frozen=True)
class Condition:
    """One operator on one field. `type` is what is compared; for `$in` `value` is a list, for `$autocomplete` words.

    `declared` is set for a custom field that is; `field` for one of the resource's own.
    """

    name: str
    operator: str
    value: Any
    type: FieldType
    path: str
    field: Field | None = None
    declared: Declared | None = None


@dataclass(frozen=True)
class AllOf:
    """All of these hold; none is no condition."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one holds."""

    parts: tuple["Node", ...]


Node = Condition | AllOf | AnyOf


@dataclass(frozen=True)
class SortKey:
    """One step of a sort."""

    name: str
    descending: bool
    field: Field | None = None
    declared: Declared | None = None


@dataclass(frozen=True)
class Sort:
    """An order: by these keys, then by the id. `asked`: whether the query speaks of it."""

    keys: tuple[SortKey, ...]
    id_descending: bool
    asked: bool = True

    @property
    def one_way(self) -> bool:
        """Whether all keys go the same way, as an index does."""
        return all(key.descending == self.id_descending for key in self.keys)


class Parser:
    """Reads one query of a resource. `declared` are the app's declared custom fields, by path inside `custom`."""

    def __init__(self, resource: Resource, declared: Mapping[str, Declared]) -> None:
        self._resource = resource
        self._declared = declared
        self._count = 0

    def filter(self, value: Mapping[str, Any]) -> AllOf:
        """The conditions, in one conjunction. Raises `BadFilter`."""
        return AllOf(_flat(self._object(value, "filter", 0)))

    def sort(self, keys: Sequence[str]) -> Sort:
        """The order. Raises `BadFilter`."""
        found: list[SortKey] = []
        for place, text in enumerate(keys):
            path, name = f"sort[{place}]", text.removeprefix("-")
            if any(name == key.name for key in found):
                raise BadFilter.at(path, f"`{name}` is there already.")
            found.append(self._sort_key(name, path, descending=text.startswith("-")))
        if sum(key.declared is not None for key in found) > 1:
            raise BadFilter.at("sort", "one custom field at most.")
        for place, key in enumerate(found):
            if key.name == self._resource.id:
                # Nothing is left to sort after the id.
                return Sort(tuple(found[:place]), key.descending)
        # Ties are broken the way of the last key, so that an index can be read backwards.
        return Sort(tuple(found), found[-1].descending if found else False, bool(found))

    def _sort_key(self, name: str, path: str, *, descending: bool) -> SortKey:
        own = self._resource.fields.get(name)
        if own is not None and own.sorts:
            return SortKey(name, descending, field=own)
        sortable = ", ".join(f"`{each.name}`" for each in self._resource.fields.values() if each.sorts)
        if own is None and name.startswith(CUSTOM) and not self._resource.declares:
            raise BadFilter.at(path, f"sorts by {sortable}; a `-` before turns it round.")
        if own is None and name.startswith(CUSTOM) and self._resource.custom is not None:
            declared = self._declared.get(name.removeprefix(CUSTOM))
            if declared is None:
                raise BadFilter.at(path, f"`{name}` must be declared to sort by: PUT {self._declaration(name)}.")
            if declared.type == "list":
                raise BadFilter.at(path, f"`{name}` is declared as a list, which has no order.")
            if not declared.ready:
                raise BadFilter.at(path, f"the index of `{name}` is still being built.")
            return SortKey(name, descending, declared=declared)
        raise BadFilter.at(path, f"sorts by {sortable} and declared custom fields; a `-` before turns it round.")

    def _declaration(self, name: str) -> str:
        return f"/v1/indexes/{self._resource.name}/{name}"

    def _object(self, value: Any, path: str, depth: int) -> list[Node]:
        if not isinstance(value, dict):
            raise BadFilter.at(path, 'must be an object such as {"type": "team"}.')
        nodes: list[Node] = []
        for key, inner in value.items():
            place = f"{path}.{key[:80]}"
            if key in ("$and", "$or"):
                nodes.append(self._group(key, inner, place, depth + 1))
            elif key.startswith("$"):
                raise BadFilter.at(place, f"no operator stands here but `$and` and `$or`; {_KNOWN}")
            else:
                nodes += self._conditions(key, inner, place)
        return nodes

    def _group(self, key: str, value: Any, path: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise BadFilter.at(path, f"`$and` and `$or` stand at most {MAX_DEPTH} deep in each other.")
        if not isinstance(value, list) or not value:
            raise BadFilter.at(path, "must be a list of one or more filters.")
        if len(value) > MAX_CONDITIONS:
            raise BadFilter.at(path, f"holds at most {MAX_CONDITIONS} filters.")
        parts = [AllOf(_flat(self._object(part, f"{path}[{n}]", depth))) for n, part in enumerate(value)]
        return AllOf(tuple(parts)) if key == "$and" else AnyOf(tuple(parts))

    def _conditions(self, name: str, value: Any, path: str) -> list[Node]:
        if not isinstance(value, dict):
            return [self._condition(name, "$eq", value, path)]
        if not value:
            raise BadFilter.at(path, f"needs an operator; {_KNOWN}")
        return [self._condition(name, operator, inner, f"{path}.{operator[:80]}") for operator, inner in value.items()]

    def _condition(self, name: str, operator: str, value: Any, path: str) -> Condition:
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise BadFilter.at("filter", f"holds at most {MAX_CONDITIONS} conditions.")
        if operator not in OPERATORS:
            raise BadFilter.at(path, f"there is no such operator; {_KNOWN}")
        own = self._resource.fields.get(name)
        if own is not None:
            self._allowed(own.operators, name, operator, path)
            return Condition(name, operator, _operand(operator, own.type, value, path, own.one_of), own.type, path, own)
        if name.startswith(CUSTOM) and self._resource.custom is not None:
            return self._custom(name, operator, value, path)
        known = ", ".join(f"`{each}`" for each in self._resource.fields)
        more = ", `custom.…`" if self._resource.custom is not None else ""
        raise BadFilter.at(path, f"there is no field `{name[:80]}`; there are {known}{more}.")

    def _custom(self, name: str, operator: str, value: Any, path: str) -> Condition:
        inner = name.removeprefix(CUSTOM)
        if not CUSTOM_PATH.fullmatch(inner):
            raise BadFilter.at(path, "a path in `custom` is 1 to 8 names of A-Z a-z 0-9 _ -, parted by points.")
        declared = self._declared.get(inner)
        if declared is not None:
            self._allowed(OF_TYPE[declared.type], name, operator, path)
            value = _operand(operator, declared.type, value, path)
            return Condition(name, operator, value, declared.type, path, declared=declared)
        self._allowed(UNDECLARED, name, operator, path)
        kind = _type_of(operator, value, path)
        return Condition(name, operator, _operand(operator, kind, value, path), kind, path)

    @staticmethod
    def _allowed(operators: frozenset[str], name: str, operator: str, path: str) -> None:
        if operator not in operators:
            known = ", ".join(f"`{each}`" for each in OPERATORS if each in operators)
            raise BadFilter.at(path, f"`{name}` takes {known}.")


_KNOWN: Final = "there are " + ", ".join(f"`{each}`" for each in OPERATORS) + "."


def _flat(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Conjunctions inside a conjunction are parts of it."""
    parts: list[Node] = []
    for node in nodes:
        parts += _flat(node.parts) if isinstance(node, AllOf) else [node]
    return tuple(parts)


def _operand(operator: str, kind: FieldType, value: Any, path: str, one_of: Sequence[str] = ()) -> Any:
    """What is compared with, checked; times as `datetime`, numbers and booleans as they come."""
    if operator == "$exists":
        if not isinstance(value, bool):
            raise BadFilter.at(path, "must be true or false.")
        return value
    if operator == "$autocomplete":
        return _words(value, path)
    if operator == "$in":
        if not isinstance(value, list) or not value or len(value) > MAX_IN:
            raise BadFilter.at(path, f"must be a list of 1 to {MAX_IN} values.")
        return [_scalar(kind, each, f"{path}[{n}]", one_of) for n, each in enumerate(value)]
    return _scalar("text" if kind == "list" else kind, value, path, one_of)


def _scalar(kind: FieldType, value: Any, path: str, one_of: Sequence[str]) -> Any:
    if value is None:
        raise BadFilter.at(path, "is null, which equals nothing; ask with `$exists`.")
    if kind == "text":
        if not isinstance(value, str) or len(value) > MAX_TEXT or not _storable(value):
            raise BadFilter.at(path, f"must be text of at most {MAX_TEXT} characters.")
        if one_of and value not in one_of:
            raise BadFilter.at(path, "must be one of " + ", ".join(f"`{each}`" for each in one_of) + ".")
        return value
    if kind == "boolean":
        if not isinstance(value, bool):
            raise BadFilter.at(path, "must be true or false.")
        return value
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadFilter.at(path, "must be a number.")
        return _number(value, path)
    return _time(value, path)


def _number(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadFilter.at(path, "is too large a number.")
    return number


def _time(value: Any, path: str) -> datetime:
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            # Beyond microseconds nothing is kept.
            return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value).upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise BadFilter.at(path, "must be a time such as `2026-01-31T12:00:00Z`.")


def _words(value: Any, path: str) -> list[str]:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not _storable(value):
        raise BadFilter.at(path, f"must be text of at most {MAX_TEXT} characters.")
    return [value]


def words_in(text: str) -> list[str]:
    """The words of what somebody has typed, at most five; the database folds them."""
    return [word[:64] for word in _BREAKS.split(text) if word][:MAX_WORDS]


def _type_of(operator: str, value: Any, path: str) -> FieldType:
    """What a custom field that is not declared is compared as."""
    if operator == "$contains":
        return "list"
    sample = value[0] if operator == "$in" and isinstance(value, list) and value else value
    if isinstance(sample, bool):
        if operator in RANGE:
            raise BadFilter.at(path, "true and false have no order.")
        return "boolean"
    return "number" if isinstance(sample, int | float) else "text"


def _storable(text: str) -> bool:
    """Whether the database can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
