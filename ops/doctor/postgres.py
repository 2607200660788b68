"""A database: reachable, durable, with the roles and the schema that this release wants."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from ops.doctor.finding import Finding, bad, good, warning
from ops.migrations import Plane, current_revision, newest_revision
from ops.migrations.roles import MAY_SET

_ROLES: Final[dict[Plane, tuple[str, ...]]] = {
    # The last one may read the schema's version.
    "control": ("natter_portal", "natter_control"),
    "chat": ("natter_app", "natter_engine"),
}
_OLDEST: Final = 150_000
_MOST_SKEW: Final = 2.0
_DURABLE: Final = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply", "remote_write"),
}


async def check_database(plane: Plane, url: str, migration_url: str, *, shard: str = "") -> AsyncIterator[Finding]:
    """Look at one database as the servers will."""
    what = f"database of {shard or 'the control plane'}"
    if not url:
        yield bad(what, "not configured", "Set NATTER_DATABASE_URL, or start a private one with natter up.")
        return
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        yield bad(what, f"cannot be reached: {error or type(error).__name__}", _way_to(url))
        return
    try:
        yield await _version(what, connection)
        for finding in await _durability(what, connection):
            yield finding
        yield await _clock(what, connection)
        roles = await _roles(what, plane, connection)
        yield roles
        if roles.status != "bad":
            yield await _schema(what, plane, connection, bool(migration_url))
    finally:
        await connection.close()


def _way_to(url: str) -> str:
    parts = urlsplit(url)
    return f"Is PostgreSQL running at {parts.hostname}:{parts.port or 5432}, and are user, password and name right?"


async def _version(what: str, connection: Any) -> Finding:
    number, name = await connection.fetchrow(
        "select current_setting('server_version_num')::int, current_setting('server_version')"
    )
    if number < _OLDEST:
        return bad(what, f"PostgreSQL {name}", "Natter needs PostgreSQL 15 or newer.")
    return good(what, f"PostgreSQL {name}")


async def _durability(what: str, connection: Any) -> list[Finding]:
    """An acknowledged message is one that a power cut does not take back."""
    findings = []
    for setting, wanted in _DURABLE.items():
        value = await connection.fetchval("select current_setting($1)", setting)
        if value not in wanted:
            findings.append(
                bad(
                    what,
                    f"{setting} is {value}, so acknowledged messages can be lost",
                    f"Set {setting} = on in postgresql.conf, and see that no user or database overrides it.",
                )
            )
    return findings or [good(what, f"{', '.join(_DURABLE)} are on")]


async def _clock(what: str, connection: Any) -> Finding:
    before = datetime.now(UTC)
    theirs = await connection.fetchval("select clock_timestamp()")
    skew = abs((theirs - before).total_seconds())
    if skew > _MOST_SKEW:
        return warning(what, f"its clock is {skew:.1f} s off this machine's", "Let both follow a time server (NTP).")
    return good(what, "its clock agrees with this machine's")


async def _roles(what: str, plane: Plane, connection: Any) -> Finding:
    login = await connection.fetchval("select session_user::text")
    known = {row["rolname"] for row in await connection.fetch("select rolname from pg_roles")}
    for role in _ROLES[plane]:
        if role not in known:
            return bad(what, f"the role {role} is missing", "natter migrate makes it.")
        if not await connection.fetchval(MAY_SET, login, role):
            return bad(what, f"{login} is no member of {role}", "natter migrate grants it.")
    if await connection.fetchval("select rolsuper from pg_roles where rolname = $1", login):
        return warning(
            what,
            f"{login} is a superuser",
            "Let servers connect as an ordinary user, and name this one in NATTER_MIGRATION_URL.",
        )
    return good(what, f"{login} may act as {', '.join(_ROLES[plane])}, and is no superuser")


async def _schema(what: str, plane: Plane, connection: Any, can_migrate: bool) -> Finding:
    await connection.execute(f"set role {_ROLES[plane][-1]}")
    current, newest = await current_revision(connection, plane), newest_revision(plane)
    if current == newest:
        return good(what, f"schema {plane} is up to date (revision {current})")
    if current is not None and newest is not None and current > newest:
        return bad(what, f"schema {plane} is newer ({current}) than this release ({newest})", "Install that release.")
    way_out = "natter migrate" + ("" if can_migrate else " (as a user who may create tables: NATTER_MIGRATION_URL)")
    return bad(what, f"schema {plane} is at {current or 'nothing'}, this release wants {newest}", way_out)
