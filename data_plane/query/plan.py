"""Where the rows of a query come from. Chosen here and not by the database's planner, which would have to guess from
statistics that are stale or absent; so what `explain` says is what happens, and tests hold it against EXPLAIN."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, TypedDict

from sqlalchemy import ColumnElement, FromClause

from data_plane.query.fields import EQUALITY, RANGE, Column, Index, Resource
from data_plane.query.parse import AllOf, AnyOf, Condition, Declared, Node, Sort, words_in

Kind = Literal["table", "driver", "values", "words"]


@dataclass(frozen=True)
class Driver:
    """Another table that says which things to look at, by id: a user's memberships, for one."""

    index: str
    table: FromClause
    id: Column
    where: tuple[ColumnElement[bool], ...]
    of: str
    """What it lists, for people."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Rows come from `kind` by `index`; `used` conditions narrow what is read there, `rest` are asked of each row.

    `ordered`: rows come in the order of the sort, so that reading ends with the page; otherwise all that the source has
    are read and sorted. `by_word`: the order is that of the words that were found.
    """

    kind: Kind
    index: str
    sort: Sort
    ordered: bool
    used: tuple[Condition, ...] = ()
    rest: tuple[Node, ...] = ()
    by_word: bool = False
    own: Index | None = None
    driver: Driver | None = None
    declared: Declared | None = None
    word: str = ""

    @property
    def narrows(self) -> bool:
        """Whether the source holds less than everything."""
        return self.kind in ("driver", "words") or bool(self.used)


class Explanation(TypedDict):
    """How a query is answered."""

    index: str
    """The index that rows are read from."""
    order: Literal["index", "sorted"]
    """`index`: rows come in the order wanted, and reading ends with the page. `sorted`: all that match are read."""
    narrowed_by: list[str]
    """Fields that the index is entered by."""
    filtered_by: list[str]
    """Fields that are looked at row by row."""
    scan: bool
    """Whether the work grows with how much there is, and not with the page alone."""
    warnings: list[str]
    """What that costs, and what to do about it."""


def choose(
    resource: Resource,
    conditions: AllOf,
    sort: Sort,
    declared: Mapping[str, Declared],
    *,
    drivers: Sequence[tuple[Driver, Condition | None]] = (),
    must_drive: bool = False,
    counts: Mapping[str, int] = MappingProxyType({}),
) -> Plan:
    """The source that reads least. `drivers` come with the condition that each answers, null for none; with
    `must_drive` the first is it, unless things are named by id. `counts`: how often words were found, see
    `words_to_count`."""
    parts = conditions.parts
    simple = [part for part in parts if isinstance(part, Condition)]
    by_id = Plan(kind="table", index=resource.primary, sort=sort, ordered=not sort.keys, rest=parts)
    if named := [c for c in simple if c.name == resource.id and c.operator in EQUALITY]:
        return _using(by_id, named[:1])
    if drivers and must_drive:
        return _driven(by_id, drivers[0])
    if words := _words(simple):
        condition, word = min(words, key=lambda found: (counts.get(found[1], 0), -len(found[1])))
        plan = _using(by_id, [condition])
        # Its other words are still to be asked for.
        rest = parts if len(words_in(condition.value[0])) > 1 else plan.rest
        by_word = not sort.asked
        return replace(plan, kind="words", index="words_pkey", rest=rest, word=word, by_word=by_word, ordered=by_word)
    if drivers:
        return _driven(by_id, drivers[0])
    plans = [*_own(resource, by_id, simple), *_declared(by_id, simple, declared)]
    return min(plans, key=_cost)


def explain(resource: Resource, plan: Plan) -> Explanation:
    """For people, who want to know what to declare."""
    filtered = list(dict.fromkeys(_names(plan.rest)))
    warnings = []
    things = resource.name
    if not plan.narrows and filtered:
        fields = ", ".join(f"`{name}`" for name in filtered)
        warnings.append(
            f"No index narrows {fields}: {things} are read one by one until the page is full." + _advice(resource, plan)
        )
    elif not plan.ordered and plan.index != resource.primary:
        what = plan.driver.of if plan.driver is not None else f"{things} that match"
        warnings.append(f"All {what} are read and sorted for each page: no index has them in the order of the sort.")
    elif filtered and plan.kind != "driver" and plan.index != resource.primary:
        fields = ", ".join(f"`{name}`" for name in filtered)
        warnings.append(
            f"Of the {things} that the index finds, those that differ in {fields} are read and passed over."
        )
    return {
        "index": plan.index,
        "order": "index" if plan.ordered else "sorted",
        "narrowed_by": [condition.name for condition in plan.used],
        "filtered_by": filtered,
        "scan": (not plan.narrows and bool(filtered)) or (not plan.narrows and not plan.ordered),
        "warnings": warnings,
    }


def _advice(resource: Resource, plan: Plan) -> str:
    undeclared = [
        condition.name
        for condition in plan.rest
        if isinstance(condition, Condition) and condition.field is None and condition.declared is None
    ]
    if undeclared and not resource.declares:
        return f" Custom data of {resource.name} has no index; narrow by a field that has one as well."
    if undeclared:
        return f" Declare it: PUT /v1/indexes/{resource.name}/{undeclared[0]}."
    building = [c.name for c in plan.rest if isinstance(c, Condition) and c.declared and not c.declared.ready]
    if building:
        return f" The index of `{building[0]}` is still being built."
    if any(isinstance(part, AnyOf) for part in plan.rest):
        return " Conditions inside `$or` enter no index; put one beside it that does."
    return ""


def _cost(plan: Plan) -> tuple[int, int, int]:
    """Less is better: a place in the index, in order; a place in it; the order alone."""
    equal = sum(condition.operator in ("$eq", "$contains") for condition in plan.used)
    rank = (
        0 if equal and plan.ordered
        else 1 if plan.used and plan.ordered
        else 2 if equal
        else 3 if plan.used
        else 4 if plan.ordered
        else 5
    )  # fmt: skip
    # Of equals: a column of the table itself is one read a row, a declared field two.
    return rank, -len(plan.used), plan.kind == "values"


def _driven(by_id: Plan, found: tuple[Driver, Condition | None]) -> Plan:
    driver, condition = found
    plan = _using(by_id, [condition] if condition is not None else [])
    return replace(plan, kind="driver", index=driver.index, driver=driver)


def _own(resource: Resource, by_id: Plan, simple: Sequence[Condition]) -> Iterator[Plan]:
    """Plans over the resource's own table; the last resort, all by id, is one of them."""
    yield _using(by_id, [c for c in simple if c.name == resource.id and c.operator in RANGE])
    keys = by_id.sort.keys
    for index in resource.indexes:
        used = _narrowing(simple, index.column)
        in_order = [key.name for key in keys] == [index.column] and by_id.sort.one_way
        equal = bool(used) and used[0].operator == "$eq"
        ordered = not keys if equal else in_order and not (used and used[0].operator == "$in")
        if used or ordered:
            yield replace(_using(by_id, used), index=index.name, own=index, ordered=ordered)


def _declared(by_id: Plan, simple: Sequence[Condition], declared: Mapping[str, Declared]) -> Iterator[Plan]:
    """Plans over the values of declared fields."""
    keys = by_id.sort.keys
    for path, index in declared.items():
        name = f"custom.{path}"
        if not index.ready or any(key.declared is not None and key.name != name for key in keys):
            continue
        used = _narrowing(simple, name)
        if index.type == "list" and not used:
            continue  # an element is a row, so a thing would come once for each
        used = used or [c for c in simple if c.name == name and c.operator == "$exists" and c.value]
        in_order = [key.name for key in keys] == [name] and by_id.sort.one_way
        equal = bool(used) and used[0].operator in ("$eq", "$contains")
        ordered = (not keys and equal) or (in_order and not (used and used[0].operator == "$in"))
        if used or ordered:
            column = "text" if index.type in ("text", "list") else "number"
            plan = replace(_using(by_id, used), kind="values", index=f"field_values_{column}")
            yield replace(plan, declared=index, ordered=ordered)


def _narrowing(simple: Sequence[Condition], name: str) -> list[Condition]:
    """The conditions by which an index on this field is entered: one equality, or else one list, or else a range."""
    mine = [condition for condition in simple if condition.name == name]
    for operators in ({"$eq", "$contains"}, {"$in"}):
        if found := [condition for condition in mine if condition.operator in operators]:
            return found[:1]
    return [condition for condition in mine if condition.operator in RANGE]


def words_to_count(conditions: AllOf) -> list[str]:
    """Words of which the rarest is to be looked for first; none when there is no choice."""
    words = _words([part for part in conditions.parts if isinstance(part, Condition)])
    return list(dict.fromkeys(word for _, word in words)) if len(words) > 1 else []


def _words(simple: Sequence[Condition]) -> list[tuple[Condition, str]]:
    return [
        (condition, word)
        for condition in simple
        if condition.operator == "$autocomplete" and condition.name == "name"
        for word in words_in(condition.value[0])
    ]


def _using(plan: Plan, used: Sequence[Condition]) -> Plan:
    """The plan with these conditions in the source and no longer asked of rows."""
    rest = tuple(part for part in plan.rest if not any(part is each for each in used))
    return replace(plan, used=tuple(used), rest=rest)


def _names(nodes: Sequence[Any]) -> list[str]:
    names: list[str] = []
    for node in nodes:
        names += [node.name] if isinstance(node, Condition) else _names(node.parts)
    return names
