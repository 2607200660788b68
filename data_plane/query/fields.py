"""What a resource can be asked by: its fields with their types, operators and indexes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, SQLColumnExpression, Table

Column = SQLColumnExpression[Any]
"""A column or an expression over columns."""
FieldType = Literal["text", "number", "boolean", "time", "list"]

EQUALITY: Final = frozenset({"$eq", "$in"})
RANGE: Final = frozenset({"$gt", "$gte", "$lt", "$lte"})
ORDERED: Final = EQUALITY | RANGE
MAYBE: Final = frozenset({"$exists"})
WORDS: Final = frozenset({"$autocomplete"})
HOLDS: Final = frozenset({"$contains"})
OPERATORS: Final = ("$eq", "$in", "$gt", "$gte", "$lt", "$lte", "$exists", "$contains", "$autocomplete")

OF_TYPE: Final[Mapping[str, frozenset[str]]] = {
    "text": ORDERED | MAYBE,
    "number": ORDERED | MAYBE,
    "time": ORDERED | MAYBE,
    "boolean": EQUALITY | MAYBE,
    "list": HOLDS | MAYBE,
}
"""The operators of a declared custom field."""
UNDECLARED: Final = ORDERED | MAYBE | HOLDS
"""Those of a custom field that is not; what is compared with decides the type."""

CUSTOM_PATH: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}")
"""A path inside `custom`."""

Special = Callable[[str, Any], ColumnElement[bool]]
"""Makes the condition of an operator and its value, where that is more than a comparison with a column."""


@dataclass(frozen=True)
class Field:
    """A field. `column` is what is compared; `key`, where the column can be null, is what is sorted by in its place."""

    name: str
    type: FieldType
    operators: frozenset[str]
    column: Column | None = None
    key: Column | None = None
    sorts: bool = False
    special: Special | None = None
    one_of: tuple[str, ...] = ()
    """The values there are, when they are few."""

    @property
    def sort_key(self) -> Column:
        """Never null."""
        found = self.key if self.key is not None else self.column
        assert found is not None, self.name
        return found


@dataclass(frozen=True)
class Index:
    """An index of the resource's own table: its column between those that every query fixes and the id.

    `guard` is its condition, always true, without which the planner must not use it.
    """

    name: str
    column: str
    guard: ColumnElement[bool]


@dataclass(frozen=True)
class Resource:
    """What is queried. `id` is the field that names a thing, and breaks ties of every sort.

    `words` is the resource whose names `$autocomplete` of the field `name` looks into; `custom` the column of custom
    data, null where there is none. `primary` is the index by id.
    """

    name: str
    table: Table
    id: str
    fields: Mapping[str, Field]
    indexes: Sequence[Index]
    words: str
    primary: str
    custom: Column | None = None
    declares: bool = True
    """Whether its custom fields can be declared. Where not, they are looked at row by row."""


def of(*fields: Field) -> dict[str, Field]:
    """Fields by name."""
    return {each.name: each for each in fields}
