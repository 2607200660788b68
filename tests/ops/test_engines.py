"""What every other test stands on."""

import os

import redis

from kernel.db import Database


async def test_a_fresh_chat_database_is_migrated_and_its_runtime_login_is_no_superuser(chat_database):
    connection = await chat_database.connect()
    assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'chat'") > 5
    assert not await connection.fetchval("select rolsuper from pg_roles where rolname = 'natter'")
    await connection.close()


async def test_two_fresh_databases_do_not_share_rows(fresh_database):
    first, second = await fresh_database("empty"), await fresh_database("empty")
    connection = await first.connect()
    await connection.execute("create table here (n int)")
    await connection.close()
    connection = await second.connect()
    assert await connection.fetchval("select to_regclass('here')") is None
    await connection.close()


async def test_a_server_connects_under_its_role(control_database):
    database = Database(control_database.url, role="natter_control")
    pool = await database.pool()
    assert await pool.fetchval("select current_user::text") == "natter_control"
    await database.close()


async def test_the_run_uses_the_postgresql_that_was_asked_for(engines, chat_database):
    connection = await chat_database.connect()
    version = await connection.fetchval("show server_version")
    await connection.close()
    assert version.startswith(engines.postgres.version.partition(".")[0])
    if "NATTER_TEST_POSTGRES" in os.environ:
        assert str(engines.postgres.major) in os.environ["NATTER_TEST_POSTGRES"]


def test_a_killed_valkey_comes_back_with_what_it_had_acknowledged(fresh_valkey):
    server = fresh_valkey()
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
    server.kill()
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"
