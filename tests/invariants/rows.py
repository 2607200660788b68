"""One tenant's rows, in every table there is: did anything change?"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tests.invariants.answers import Leak

_TABLES = """
    select c.relname as name, array_agg(a.attname::text) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = $1::text::regnamespace and c.relkind in ('r', 'p') group by 1 order by 1
"""
Digest = dict[str, str]
Whose = str
"""A condition on a table's rows that says which are a tenant's; `$1` is its id."""


async def tables(connection: Any, schema: str) -> dict[str, set[str]]:
    """Tables of a schema with their columns, from the catalogue."""
    return {row["name"]: set(row["columns"]) for row in await connection.fetch(_TABLES, schema)}


SNAPSHOT = "select pg_current_snapshot()::text"
"""Which transactions that write are over, of all there ever were on the server, in any of its databases. As long as it
stays no row has changed, so none need be looked at."""


class Rows:
    """What writes to tenants' rows cannot leave alone. `connection` is a superuser's, `conditions` by schema-qualified
    table."""

    def __init__(self, connection: Any, conditions: Mapping[str, Whose]) -> None:
        self._connection = connection
        self._statement = statement_of(conditions)
        self._snapshot = ""
        self._known: dict[UUID | str, Digest] = {}

    async def digest(self, tenant: UUID | str) -> Digest:
        """By table, how many there are, and the last transaction that wrote one."""
        snapshot = await self._connection.fetchval(SNAPSHOT)
        if snapshot != self._snapshot:
            self._snapshot, self._known = snapshot, {}
        if tenant not in self._known:
            found = await self._connection.fetch(self._statement, tenant)
            self._known[tenant] = {row[0]: row[1] for row in found}
        return self._known[tenant]


def statement_of(conditions: Mapping[str, Whose]) -> str:
    """The statement that finds a digest."""
    # One for all tables that looks at no column: a sweep asks this thousands of times.
    return " union all ".join(
        f"select '{table}', count(*) || ' rows, written last by ' || coalesce(max(xmin::text::bigint), 0) "
        f"from {table} t where {condition}"
        for table, condition in conditions.items()
    )


def unchanged(what: str, before: Digest, after: Digest) -> None:
    """Raise `Leak` naming the tables whose rows are others now."""
    touched = [table for table in before if before[table] != after[table]]
    if touched:
        raise Leak(f"{what}: changed another tenant's rows in {', '.join(touched)}")
