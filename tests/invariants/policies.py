"""The second wall: row-level security, asked of the catalogue and tried for real."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from tests.invariants.answers import Leak
from tests.invariants.rows import Whose, tables

_GUARDED = """
    select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as guarded
    from pg_class c where c.relnamespace = $1::text::regnamespace and c.relkind in ('r', 'p')
"""
_POLICIES = """
    select tablename, policyname, qual, with_check from pg_policies
    where schemaname = $1 and ($2::text::name = any(roles) or 'public' = any(roles))
"""
_REACHED = """
    select exists (select from unnest(array['select', 'insert', 'update', 'delete']) p
                   where has_table_privilege($1, $2, p) or (p <> 'delete' and has_any_column_privilege($1, $2, p)))
"""


@dataclass(frozen=True)
class Wall:
    """A schema, the role that requests of tenants run under, and the setting that names the tenant of a transaction."""

    schema: str
    role: str
    setting: str
    columns: Collection[str]
    """A table with one of these columns is a tenant's."""
    also: Collection[str] = ()
    """Tables that are a tenant's without such a column."""
    outside: Collection[str] = ()
    """Tables with such a column that the role cannot reach at all."""
    through: Collection[str] = ()
    """Tables by which a policy may go in the setting's place, because their own policies go by it."""
    unchecked: Collection[tuple[str, str]] = ()
    """Policies, by table and name, that let through on purpose."""


async def check_catalogue(connection: Any, wall: Wall) -> set[str]:
    """The tenants' tables. Raises `Leak` naming those without forced row-level security, or with a policy for the
    tenants' role that does not go by the setting."""
    mine = {
        table
        for table, columns in (await tables(connection, wall.schema)).items()
        if (columns & set(wall.columns) or table in wall.also) and table not in wall.outside
    }
    for table in wall.outside:
        if await connection.fetchval(_REACHED, wall.role, f"{wall.schema}.{table}"):
            raise Leak(f"{wall.schema}.{table}: {wall.role} can reach it, and nothing there keeps tenants apart")
    guarded = {row["name"]: row["guarded"] for row in await connection.fetch(_GUARDED, wall.schema)}
    bare = sorted(table for table in mine if not guarded[table])
    if bare:
        raise Leak(f"{wall.schema}: row-level security is not forced on {', '.join(bare)}")
    for row in await connection.fetch(_POLICIES, wall.schema, wall.role):
        if row["tablename"] not in mine or (row["tablename"], row["policyname"]) in wall.unchecked:
            continue
        for condition in (row["qual"], row["with_check"]):
            if condition is not None and not any(word in condition for word in (wall.setting, *_words(wall.through))):
                raise Leak(f"{wall.schema}.{row['tablename']}: a policy for {wall.role} lets through: {condition}")
    return mine


def _words(tables: Collection[str]) -> list[str]:
    """As the catalogue prints a condition: with the schema, or without it where it is on the path."""
    return [f"FROM {name}" for table in tables for name in (table, table.partition(".")[2])]


async def check_for_real(
    connection: Any, wall: Wall, conditions: Mapping[str, Whose], *, victim: UUID, stranger: UUID
) -> set[str]:
    """Look at and write every table as a stranger's request would; returns the tables in which there was something of
    the victim's to see. Raises `Leak`. Leaves nothing behind."""
    proved = set()
    for table, condition in conditions.items():
        where = f"from {table} t where {condition}"
        if not await connection.fetchval(f"select count(*) {where}", victim):
            continue
        proved.add(table)
        # `update … set x = x` of a row that is seen would lock it; of one that is not, it finds nothing.
        column = next(iter(sorted((await tables(connection, wall.schema))[table.partition(".")[2]])))
        for scope in (str(stranger), ""):
            for verb, statement in {
                "reads": f"select count(*) {where}",
                "changes": f"with x as (update {table} t set {column} = t.{column} where {condition} returning 1) "
                "select count(*) from x",
                "deletes": f"with x as (delete {where} returning 1) select count(*) from x",
            }.items():
                if await _as_tenant(connection, wall, scope, statement, victim):
                    raise Leak(
                        f"{wall.role} {verb} another tenant's rows of {table} (its own tenant: {scope or 'none'})"
                    )
    return proved


async def _as_tenant(connection: Any, wall: Wall, scope: str, statement: str, victim: UUID) -> int:
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"set local role {wall.role}")
        await connection.execute("select set_config($1, $2, true)", wall.setting, scope)
        return int(await connection.fetchval(statement, victim))
    except asyncpg.InsufficientPrivilegeError:
        return 0
    finally:
        await transaction.rollback()
