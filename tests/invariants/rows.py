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


async def digest(connection: Any, conditions: Mapping[str, Whose], tenant: UUID | str) -> Digest:
    """What a write to a tenant's rows cannot leave alone, by table: how many there are, and the last transaction that
    wrote one. `connection` is a superuser's, `conditions` by schema-qualified table."""
    # One statement for all tables that looks at no column: a sweep asks this thousands of times.
    each = (
        f"select '{table}', count(*) || ' rows, written last by ' || coalesce(max(xmin::text::bigint), 0) "
        f"from {table} t where {condition}"
        for table, condition in conditions.items()
    )
    return {row[0]: row[1] for row in await connection.fetch(" union all ".join(each), tenant)}


def unchanged(what: str, before: Digest, after: Digest) -> None:
    """Raise `Leak` naming the tables whose rows are others now."""
    touched = [table for table in before if before[table] != after[table]]
    if touched:
        raise Leak(f"{what}: changed another tenant's rows in {', '.join(touched)}")
