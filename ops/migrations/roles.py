"""The roles that servers run under. They belong to the whole database server, not to one database."""

import asyncio
from typing import Any, Final

import asyncpg

from ops.errors import CannotStart

ROLES: Final = ("natter_control", "natter_portal", "natter_app", "natter_engine")

_CREATE: Final = """
do $$ begin
    if not exists (select from pg_roles where rolname = '{role}') then
        create role {role} nologin noinherit;
    end if;
exception when duplicate_object or unique_violation then null;  -- made at the same moment by another
end $$
"""


async def ensure_roles(connection: Any, runtime_login: str | None) -> None:
    """Create the roles that are missing and grant them to the migrating user and to the runtime login.

    Raises `CannotStart` when this user may not do so and somebody else did not before.
    """
    try:
        for role in ROLES:
            await connection.execute(_CREATE.format(role=role))
        superuser = await connection.fetchval("select rolsuper from pg_roles where rolname = current_user")
        if not superuser:  # a function can be given only to a role that one is a member of
            await _grant(connection, await connection.fetchval("select current_user::text"))
        if runtime_login is not None:
            await _grant(connection, runtime_login)
    except asyncpg.InsufficientPrivilegeError as error:
        raise CannotStart(
            f"The migrating user may not manage the roles {', '.join(ROLES)}: {error}",
            "Set NATTER_MIGRATION_URL to a user with CREATEROLE, or create the roles (nologin) and grant them by hand.",
        ) from error


async def _grant(connection: Any, login: str) -> None:
    login_known = await connection.fetchval("select exists (select from pg_roles where rolname = $1)", login)
    if not login_known:
        raise CannotStart(
            f"The database has no user {login!r}, as whom the servers would connect.",
            "Create it, or mend the user in NATTER_DATABASE_URL.",
        )
    for role in ROLES:
        for attempt in range(20):
            if await connection.fetchval(MAY_SET, login, role):
                break
            try:
                statement = await connection.fetchval(
                    "select format('grant %I to %I', $1::text, $2::text)", role, login
                )
                await connection.execute(statement)
            except (asyncpg.InternalServerError, asyncpg.UniqueViolationError):
                # Two processes that grant at the same moment: one gets "tuple concurrently updated".
                await asyncio.sleep(0.02 * (attempt + 1))


MAY_SET: Final = """
select pg_has_role($1, $2, case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)
"""
