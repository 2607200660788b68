"""The databases of an installation: the private server's login and databases, and the schemas of all."""

from typing import Any
from urllib.parse import urlsplit

import asyncpg

from kernel.settings import Settings
from ops.errors import CannotStart
from ops.installation.compose import CONTROL_DATABASE, RUNTIME_LOGIN, login_of
from ops.migrations import migrate_chat, migrate_control


async def make_private_databases(settings: Settings, superuser_url: str, password: str) -> None:
    """On the private server: the login that servers use, and every database of the settings that is missing.

    Raises `CannotStart` when the server's data does not fit the installation's secrets.
    """
    try:
        connection = await asyncpg.connect(superuser_url, timeout=10)
    except asyncpg.InvalidPasswordError as error:
        raise CannotStart(
            "The private database does not accept the password in secrets.json.",
            "Put back the secrets.json that belongs to this data.",
        ) from error
    try:
        await _make_login(connection, password)
        names = {CONTROL_DATABASE} | {urlsplit(shard.database_url).path[1:] for shard in settings.all_shards()}
        found = {row["datname"] for row in await connection.fetch("select datname from pg_database")}
        for name in sorted(names - found):
            await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()


async def _make_login(connection: Any, password: str) -> None:
    if await connection.fetchval("select exists (select from pg_roles where rolname = $1)", RUNTIME_LOGIN):
        return
    # It has no rights of its own: whoever connects names the role to be, and a slip without one can do nothing.
    statement = "select format('create role %I login noinherit password %L', $1::text, $2::text)"
    await connection.execute(await connection.fetchval(statement, RUNTIME_LOGIN, password))


async def migrate_all(settings: Settings) -> dict[str, list[str]]:
    """Bring the control database and every shard up to date; returns the applied revisions by schema or shard.

    Raises `CannotStart`, `SettingsError`.
    """
    settings.require("database_url")
    url = settings.migration_url or settings.database_url
    applied = {"control": await migrate_control(url, login_of(settings.database_url))}
    for shard in settings.all_shards():
        url = shard.migration_url or shard.database_url
        applied[shard.id] = await migrate_chat(url, login_of(shard.database_url))
    return applied
