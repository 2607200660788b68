"""From conditions and a plan to the statement that finds a page's ids."""

from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, gt, le, lt
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    FromClause,
    Select,
    Text,
    and_,
    any_,
    column,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from data_plane.query.fields import Column, Field, Resource
from data_plane.query.models import FieldValue, Word
from data_plane.query.parse import CUSTOM, AllOf, AnyOf, Condition, Node, SortKey, words_in
from data_plane.query.plan import Plan

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"$eq": eq, "$gt": gt, "$gte": ge, "$lt": lt, "$lte": le}
LAST: Final = "\U0010ffff"
"""After every character: what begins with a prefix is less than the prefix with this after it."""


_Rows = tuple[Select[Any], list[Any], Any]
"""Rows with id and keys, the keys that they are sorted by, and what breaks ties."""


class Compiler:
    """Makes statements over one resource of one app. `fixed` holds for every row, whatever is asked."""

    def __init__(self, resource: Resource, app_id: UUID, fixed: Sequence[ColumnElement[bool]]) -> None:
        self._resource = resource
        self._app_id = app_id
        self._fixed = list(fixed)
        self._id: Column = resource.fields[resource.id].sort_key

    def page(self, plan: Plan, *, after: Sequence[Any] | None, limit: int) -> Select[Any]:
        """Rows `(id, k0, k1, …)` with the sort's keys, after the place that `after` names: its keys and id."""
        rows, keys, tie = self._table(plan) if plan.kind == "table" else self._through(plan)
        ways = [*(key.descending for key in plan.sort.keys), plan.sort.id_descending]
        if plan.by_word:
            ways = [False, False]
        order = [*keys, tie]
        if after is not None:
            rows = rows.where(_beyond(order, ways, after))
        steps = [key.desc() if down else key.asc() for key, down in zip(order, ways, strict=True)]
        return rows.order_by(*steps).limit(limit)

    def _table(self, plan: Plan) -> _Rows:
        """Rows of the resource's own table."""
        keys = [self._key(key) for key in plan.sort.keys]
        query = select(self._id.label("id"), *_labels(keys)).where(*self._fixed, *self._there(plan))
        query = query.where(*map(self.condition, plan.rest))
        column = self._id
        if plan.own is not None:
            column = self._resource.fields[plan.own.column].sort_key
            query = query.where(plan.own.guard)
        if plan.used and plan.used[0].operator == "$in":
            # Each value by itself: before PostgreSQL 17 a list of them has no order, and all would be read instead.
            wanted = _each(plan.used[0].value, Text())
            inner: Any = query.where(column == wanted.c.value).offset(0).lateral("thing")
            rows = select(*inner.c).select_from(wanted).join(inner, true())
        elif plan.ordered or plan.own is None:
            return query.where(*map(self.condition, plan.used)), keys, self._id
        else:
            # All that match, and then sorted. The order inside leaves no other index to read them by.
            inner = query.where(*map(self.condition, plan.used)).order_by(column, self._id).offset(0).subquery("thing")
            rows = select(*inner.c)
        return rows, [inner.c[f"k{n}"] for n in range(len(keys))], inner.c.id

    def _through(self, plan: Plan) -> _Rows:
        """Rows that another table names, in its order; each is looked up by its id. Offsets are fences."""
        source = self._source(plan)
        by_value = [plan.kind == "values" and key.declared is not None for key in plan.sort.keys]
        own = [self._key(key) for key in plan.sort.keys]
        thing = (
            select(self._id.label("id"), *_labels(own, "own"))
            .where(*self._fixed, self._id == source.id, *map(self.condition, plan.rest))
            .where(*(() if any(by_value) else self._there(plan)))
            .offset(0)
            .lateral("thing")
        )
        keys: list[Any] = [source.value if by else thing.c[f"own{n}"] for n, by in enumerate(by_value)]
        if plan.by_word:
            keys = [source.value]
        query = select(thing.c.id.label("id"), *_labels(keys))
        return query.select_from(source.table).join(thing, true()).where(*source.where), keys, source.tie

    def _there(self, plan: Plan) -> list[ColumnElement[bool]]:
        """What is sorted by a custom field is what has it."""
        return [self._key(key).is_not(None) for key in plan.sort.keys if key.declared is not None]

    def condition(self, node: Node) -> ColumnElement[bool]:
        """What a node asks of a row of the resource's table."""
        if isinstance(node, AllOf):
            return and_(true(), *map(self.condition, node.parts))
        if isinstance(node, AnyOf):
            return or_(false(), *map(self.condition, node.parts))
        if node.field is not None:
            if node.field.special is not None:
                return node.field.special(node.operator, node.value)
            if node.operator == "$autocomplete":
                return self._has_words(node.field, node.value[0])
            column = node.field.column if node.operator == "$exists" else node.field.sort_key
            assert column is not None
            return compare(column, node.operator, node.value)
        return self._custom(node)

    def _key(self, key: SortKey) -> Any:
        if key.field is not None:
            return key.field.sort_key
        assert key.declared is not None
        return self._typed(key.declared.type, self._inside(key.name))

    def _source(self, plan: Plan) -> "_Source":
        if plan.kind == "driver":
            assert plan.driver is not None
            return _Source(plan.driver.table, plan.driver.id, plan.driver.where, plan.driver.id, plan.driver.id)
        if plan.kind == "words":
            words: Any = Word.__table__.alias("word")
            first, last = _span(plan.word)
            return _Source(
                words,
                words.c.id,
                [
                    words.c.app_id == self._app_id,
                    words.c.resource == self._resource.words,
                    words.c.word >= first,
                    words.c.word < last,
                    # Of a thing whose name has several such words, the first one stands for it.
                    or_(words.c.before.is_(None), words.c.before < first),
                ],
                words.c.word,
                words.c.id,
            )
        return self._values(plan)

    def _values(self, plan: Plan) -> "_Source":
        assert plan.declared is not None
        values: Any = FieldValue.__table__.alias("value")
        value = values.c.text_value if plan.declared.type in ("text", "list") else values.c.number_value
        where = [values.c.app_id == self._app_id, values.c.index_id == plan.declared.id, value.is_not(None)]
        for condition in plan.used:
            if condition.operator not in ("$exists", "$in"):
                operator = "$eq" if condition.operator == "$contains" else condition.operator
                where.append(compare(value, operator, _plain(condition)))
        tie = values.c.id.collate("POSIX")
        if plan.ordered:
            return _Source(values, values.c.id, where, value, tie)
        ordered = select(values.c.id.label("id"), value.label("value")).where(*where).order_by(value, tie)
        found: Any = ordered.offset(0).subquery("found")
        if plan.used and plan.used[0].operator == "$in":
            wanted = _each(_plain(plan.used[0]), value.type)
            each = ordered.where(value == wanted.c.value).offset(0).lateral("each")
            found = select(*each.c).select_from(wanted).join(each, true()).offset(0).subquery("found")
        return _Source(found, found.c.id, [], found.c.value, found.c.id)

    def counts(self, words: Sequence[str], most: int) -> Select[Any]:
        """How often each word begins one of a name, up to `most`, one row."""
        found: Any = Word.__table__.alias("word")
        columns = []
        for word in words:
            first, last = _span(word)
            some = (
                select(found.c.id)
                .where(found.c.app_id == self._app_id, found.c.resource == self._resource.words)
                .where(found.c.word >= first, found.c.word < last)
                .limit(most)
                .subquery()
            )
            columns.append(select(func.count()).select_from(some).scalar_subquery())
        return select(*columns)

    def _has_words(self, field: Field, text: str) -> ColumnElement[bool]:
        words = words_in(text)
        if not words:
            return false()
        assert field.column is not None
        # A thing without a name has no words.
        return func.coalesce(func.chat.has_words(field.column, literal(words, ARRAY(Text))), False)

    def _custom(self, node: Condition) -> ColumnElement[bool]:
        value = self._inside(node.name)
        if node.operator == "$exists" and node.declared is None:
            there = and_(value.is_not(None), func.jsonb_typeof(value) != "null")
            return there if node.value else ~func.coalesce(there, False)
        if node.type == "list":
            rows = func.chat.field_rows(value, "list").table_valued("nth", "text_value", "number_value")
            held = exists().select_from(rows)
            if node.operator == "$contains":
                return held.where(rows.c.text_value == node.value)
            return held if node.value else ~held
        return compare(self._typed(node.type, value), node.operator, _plain(node))

    def _inside(self, name: str) -> Any:
        column = self._resource.custom
        assert column is not None
        return column.op("#>")(literal(name.removeprefix(CUSTOM).split("."), ARRAY(Text)))

    @staticmethod
    def _typed(kind: str, value: Any) -> Any:
        return {
            "text": func.chat.custom_text(value, type_=Text).collate("C"),
            "number": func.chat.custom_number(value, type_=Double),
            "boolean": func.chat.custom_boolean(value, type_=Double),
            "time": func.chat.custom_time(value, type_=Double),
        }[kind]


def compare(column: Any, operator: str, value: Any) -> ColumnElement[bool]:
    """A comparison of a column with a value of its type."""
    made: ColumnElement[bool]
    if operator == "$exists":
        made = column.is_not(None) if value else column.is_(None)
    elif operator == "$in":
        made = column == any_(literal(list(value), ARRAY(column.type)))
    else:
        made = _COMPARISONS[operator](column, value)
    return made


def prefix(column: Column, text: str) -> ColumnElement[bool]:
    """Whether a column of collation C begins with a text; by order, because no other operator may enter an index."""
    return and_(column >= text, column < text + LAST)


def _plain(condition: Condition) -> Any:
    """The value as `custom` is compared: numbers for booleans, seconds for times."""

    def one(value: Any) -> Any:
        if condition.type == "boolean":
            return float(value)
        return value.timestamp() if condition.type == "time" else value

    if condition.operator == "$exists":
        return condition.value
    return [one(value) for value in condition.value] if condition.operator == "$in" else one(condition.value)


def _span(word: str) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """From the folded word to behind everything that begins with it; each is computed once a statement."""
    first = select(func.chat.fold_text(word, type_=Text)).scalar_subquery()
    last = select(func.chat.fold_text(word, type_=Text).concat(LAST)).scalar_subquery()
    return first, last


def _labels(keys: Sequence[Column], name: str = "k") -> list[Any]:
    return [key.label(f"{name}{n}") for n, key in enumerate(keys)]


def _beyond(keys: Sequence[Any], descending: Sequence[bool], values: Sequence[Any]) -> ColumnElement[bool]:
    """Rows after this place in the order of the keys."""
    placed = [literal(value, key.type) for key, value in zip(keys, values, strict=True)]
    if len(set(descending)) == 1:
        here, there = tuple_(*keys), tuple_(*placed)
        return here < there if descending[0] else here > there
    steps = []
    for n, (key, value, down) in enumerate(zip(keys, placed, descending, strict=True)):
        same = [before == at for before, at in zip(keys[:n], placed[:n], strict=True)]
        steps.append(and_(*same, key < value if down else key > value))
    return or_(*steps)


def _each(values: Sequence[Any], kind: Any) -> Any:
    """The values as rows, each once."""
    rows = func.unnest(literal(list(dict.fromkeys(values)), ARRAY(kind))).table_valued(column("value", kind))
    return rows.render_derived(name="wanted")


class _Source(NamedTuple):
    """A table that names things: their id, its conditions, the value it is in the order of, and what breaks ties."""

    table: FromClause
    id: Any
    where: Sequence[ColumnElement[bool]]
    value: Any
    tie: Any


def sort_types(plan: Plan) -> list[str]:
    """The types of the keys of a place in the plan's order, the id's last; `word` is text."""

    def one(key: SortKey) -> str:
        if key.field is not None:
            return key.field.type
        assert key.declared is not None
        return "text" if key.declared.type == "text" else "number"

    return [*(["text"] if plan.by_word else map(one, plan.sort.keys)), "text"]
