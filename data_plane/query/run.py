"""Run a query: read what is declared, choose, fetch one page of ids."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, Select, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.query import cursor as cursors
from data_plane.query.compile import Compiler, sort_types
from data_plane.query.errors import QueryTooSlow
from data_plane.query.fields import Resource
from data_plane.query.models import FieldIndex
from data_plane.query.parse import AllOf, Condition, Declared, Parser, Sort
from data_plane.query.plan import Driver, Explanation, Plan, choose, explain, words_to_count
from data_plane.query.schemas import Query

PATIENCE_MS: Final = 4_000
"""How long one statement of a query may take."""
ENOUGH_WORDS: Final = 500
"""Beyond so many, one word is as frequent as another."""

# The plan is chosen already; what is left of it to the planner must not depend on statistics. A sort stays possible
# where no index has the order.
_SETTINGS: Final = text(
    "select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
    "set_config('enable_mergejoin', 'off', true), set_config('enable_sort', 'off', true), "
    "set_config('enable_bitmapscan', 'off', true), set_config('enable_material', 'off', true), "
    "set_config('plan_cache_mode', 'force_custom_plan', true), set_config('statement_timeout', :patience, true)"
)


class Scope(NamedTuple):
    """What a query is about, beyond what it says: conditions of every row, and tables that say which rows to look at.

    `place` names where it is, for its cursors. `drivers` as `choose` takes them.
    """

    fixed: Sequence[ColumnElement[bool]]
    place: str = ""
    drivers: Sequence[tuple[Driver, Condition | None]] = ()
    must_drive: bool = False


class Page(NamedTuple):
    """The ids of a page in order, and the cursor of the next; null on the last one."""

    ids: list[str]
    next_cursor: str | None
    explanation: Explanation | None
    plan: Plan


class Runner:
    """Runs queries of one app in one transaction, read-only and of one instant. `patience` in milliseconds."""

    def __init__(self, session: AsyncSession, app_id: UUID, *, patience: int | None = None) -> None:
        self._session = session
        self._app_id = app_id
        self._patience = patience or PATIENCE_MS

    async def parse(self, resource: Resource, query: Query) -> "Parsed":
        """The query, read. Raises `BadFilter`."""
        declared = await self._declared(resource)
        parser = Parser(resource, declared)
        return Parsed(resource, query, parser.filter(query.filter), parser.sort(query.sort), declared)

    async def page(self, parsed: "Parsed", scope: Scope) -> Page:
        """One page. Raises `InvalidInput` for a cursor of another query, and `QueryTooSlow`."""
        query, resource = parsed.query, parsed.resource
        compiler = Compiler(resource, self._app_id, scope.fixed)
        await self._session.execute(_SETTINGS, {"patience": str(self._patience)})
        words = words_to_count(parsed.conditions)
        counted = (await self._fetch(compiler.counts(words, ENOUGH_WORDS)))[0] if words else ()
        plan = choose(
            resource,
            parsed.conditions,
            parsed.sort,
            parsed.declared,
            drivers=scope.drivers,
            must_drive=scope.must_drive,
            counts=dict(zip(words, counted, strict=True)),
        )
        bound = cursors.fingerprint(resource.name, scope.place, query.filter, query.sort)
        after = cursors.decode(bound, query.cursor, sort_types(plan)) if query.cursor is not None else None
        rows = await self._fetch(compiler.page(plan, after=after, limit=query.limit + 1))
        shown = rows[: query.limit]
        following = None
        if len(rows) > query.limit:
            last = shown[-1]
            following = cursors.encode(bound, [*last[1:], last.id])
        return Page([row.id for row in shown], following, explain(resource, plan) if query.explain else None, plan)

    async def _fetch(self, statement: Select[Any]) -> Sequence[Any]:
        try:
            rows: Sequence[Any] = (await self._session.execute(statement)).all()
        except DBAPIError as error:
            cause = getattr(error.orig, "__cause__", None)
            if isinstance(cause, asyncpg.QueryCanceledError):
                raise QueryTooSlow(
                    "This query looks at too many rows. Ask again with `explain` to see what it reads, and declare an "
                    "index on what it filters or sorts by."
                ) from error
            raise
        return rows

    async def _declared(self, resource: Resource) -> dict[str, Declared]:
        if resource.custom is None or not resource.declares:
            return {}
        rows = await self._session.execute(
            select(FieldIndex.field, FieldIndex.id, FieldIndex.type, FieldIndex.state).where(
                FieldIndex.app_id == self._app_id, FieldIndex.resource == resource.name
            )
        )
        return {row.field: Declared(row.id, row.type, row.state == "ready") for row in rows}


class Parsed(NamedTuple):
    """A query that was read."""

    resource: Resource
    query: Query
    conditions: AllOf
    sort: Sort
    declared: dict[str, Declared]
