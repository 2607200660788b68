"""Bring databases to the newest schema: the control plane's and each shard's, with the roles that both rest on.

Safe beside running servers (a `lock_timeout` keeps a migration from queueing before their statements) and beside
another process that migrates the same database (an advisory lock makes one wait for the other).
"""

import asyncio
import re
from pathlib import Path
from typing import Any, Final, Literal

import asyncpg

from ops.errors import CannotStart
from ops.migrations.roles import ensure_roles

Plane = Literal["control", "chat"]

LOCK_TIMEOUT: Final = "5s"
_ATTEMPTS: Final = 5
_REVISION: Final = re.compile(r'^(revision|down_revision)\b[^=]*= "(\w+)"', re.MULTILINE)
_ADVISORY_LOCK: Final = 0x6E617474  # "natt"


async def migrate_control(url: str, runtime_login: str | None = None) -> list[str]:
    """Bring the control database up to date; returns the revisions that were applied, oldest first.

    `url` is of a user who may create roles and tables; `runtime_login` names the user that servers connect as, who
    is granted their roles. Raises `CannotStart` when the database cannot be reached or stays locked.
    """
    return await _migrate("control", url, runtime_login)


async def migrate_chat(url: str, runtime_login: str | None = None) -> list[str]:
    """Bring a shard's database up to date; otherwise as `migrate_control`."""
    return await _migrate("chat", url, runtime_login)


def newest_revision(plane: Plane) -> str | None:
    """The revision that this release wants: the one that no other follows; `None` when there is none yet.

    Read off the files, whose numbers tell when each was begun and not which came last.
    """
    follows: dict[str, str | None] = {}
    for file in (Path(__file__).parent / plane / "versions").glob("[0-9]*_*.py"):
        said = dict(_REVISION.findall(file.read_text()))
        follows[said["revision"]] = said.get("down_revision")
    return next((revision for revision in sorted(follows) if revision not in follows.values()), None)


async def current_revision(connection: Any, plane: Plane) -> str | None:
    """The revision of a database, seen over an asyncpg connection; `None` when nothing was migrated yet."""
    if not await connection.fetchval("select to_regclass($1) is not null", f"{plane}.alembic_version"):
        return None
    revision: str | None = await connection.fetchval(f"select version_num from {plane}.alembic_version")  # noqa: S608
    return revision


async def _migrate(plane: Plane, url: str, runtime_login: str | None) -> list[str]:
    try:
        guard = await asyncpg.connect(url, timeout=10, server_settings={"application_name": "natter-migrate"})
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CannotStart(
            f"The database for the {plane} schema cannot be reached: {error}",
            "Check NATTER_MIGRATION_URL, or NATTER_DATABASE_URL where that is not set; natter doctor looks closer.",
        ) from error
    try:
        await guard.fetchval("select pg_advisory_lock($1)", _ADVISORY_LOCK)
        await ensure_roles(guard, runtime_login)
        await guard.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
        return await _upgrade_with_patience(guard, plane, url)
    finally:
        await guard.close()


async def _upgrade_with_patience(guard: Any, plane: Plane, url: str) -> list[str]:
    for attempt in range(_ATTEMPTS):
        try:
            if await current_revision(guard, plane) == newest_revision(plane):
                return []
            return await _upgrade(plane, url)
        except (_Locked, asyncpg.LockNotAvailableError):
            await asyncio.sleep(2**attempt)
    raise CannotStart(
        f"The {plane} schema stayed locked by other transactions.",
        "Look for long transactions in pg_stat_activity, end them, and run natter migrate again.",
    )


class _Locked(Exception):
    """A statement of a migration did not get its lock in time; the migration was rolled back."""


async def _upgrade(plane: Plane, url: str) -> list[str]:
    # SQLAlchemy and Alembic take a second to import, which a start with nothing to migrate need not wait for.
    from sqlalchemy.exc import DBAPIError

    from ops.migrations.upgrade import upgrade

    try:
        return await asyncio.to_thread(upgrade, plane, url, LOCK_TIMEOUT)
    except DBAPIError as error:
        if "lock timeout" in str(error):
            raise _Locked from error
        raise
