import asyncio

import asyncpg
import pytest

import ops.migrations
from ops.errors import CannotStart
from ops.migrations import current_revision, migrate_chat, migrate_control, newest_revision


async def test_two_processes_that_migrate_at_once_do_it_once(fresh_database):
    database = await fresh_database("empty")
    applied = await asyncio.gather(*(migrate_chat(database.superuser_url, "natter") for _ in range(3)))
    assert sum(bool(each) for each in applied) == 1


async def test_both_schemas_fit_into_one_database(fresh_database):
    database = await fresh_database("empty")
    await asyncio.gather(migrate_control(database.superuser_url), migrate_chat(database.superuser_url))
    connection = await database.connect()
    assert await current_revision(connection, "control") == newest_revision("control")
    assert await current_revision(connection, "chat") == newest_revision("chat")
    await connection.close()


async def test_migrating_again_changes_nothing(chat_database):
    assert await migrate_chat(chat_database.superuser_url, "natter") == []


async def test_a_user_who_may_create_roles_need_not_be_superuser(fresh_database):
    database = await fresh_database("empty")
    connection = await database.connect()
    await connection.execute("create role migrator login createrole password 'x'")
    await connection.execute(f'alter database "{database.name}" owner to migrator')
    if await connection.fetchval("select current_setting('server_version_num')::int") >= 160_000:
        for role in ops.migrations.roles.ROLES:  # made by the superuser before, so its to hand on
            await connection.execute(f"grant {role} to migrator with admin option")
    await connection.close()
    url = database.superuser_url.replace("postgres:", "migrator:", 1)
    url = f"postgresql://migrator:x@{url.rpartition('@')[2]}"
    try:
        assert await migrate_chat(url, "natter") != []
        assert await migrate_control(url, "natter") != []
    finally:
        connection = await database.connect()
        await connection.execute("drop owned by migrator cascade")
        await connection.execute(f'alter database "{database.name}" owner to postgres')
        await connection.execute("drop role migrator")
        await connection.close()


async def test_a_locked_table_does_not_hold_up_others_behind_the_migration(fresh_database, monkeypatch):
    database = await fresh_database("empty")
    monkeypatch.setattr(ops.migrations, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(ops.migrations, "_ATTEMPTS", 2)
    connection = await database.connect()
    await connection.execute(
        "create schema chat; create table chat.alembic_version (version_num varchar(32) primary key)"
    )
    async with connection.transaction():
        await connection.execute("lock table chat.alembic_version")
        with pytest.raises((CannotStart, asyncpg.PostgresError), match=r"locked|lock timeout"):
            await migrate_chat(database.superuser_url)
    await connection.close()


async def test_a_login_that_is_missing_is_named(fresh_database):
    database = await fresh_database("empty")
    with pytest.raises(CannotStart, match="no user 'somebody'"):
        await migrate_chat(database.superuser_url, "somebody")


async def test_a_database_that_is_away_is_told_in_words():
    with pytest.raises(CannotStart, match="cannot be reached"):
        await migrate_control("postgresql://u:p@127.0.0.1:1/none")
