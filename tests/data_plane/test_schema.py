"""The chat schema keeps tenants apart by itself: what the catalogue says of every table, policy and function."""

import asyncpg
import pytest

from tests.data_plane.conftest import App, World
from tests.engines import TemporaryDatabase

OPERATORS_TABLES = {"alembic_version", "app_snapshots", "commits", "outbox", "shard", "usage_outbox"}
"""Not a tenant's: of the shard as a whole, out of reach of request-time connections."""

FOR_REQUESTS = {
    *("append_events", "horizon", "lock_logs", "mark_active", "xid"),
    # Of the tenant alone that the policies know, too.
    *("hidden_channels", "count_storage"),
    # Under row-level security, as whoever calls them.
    *("seq_at", "first_seen", "unread_channels", "unread_threads", "forget_additions", "shown_extra", "entry_extra"),
    # Of their arguments alone; they read no table.
    *("fold_text", "words_of", "has_words", "field_rows", "content_bytes"),
    *("hide_message", "is_hidden", "hidden_above", "hidden_replies_above", "forget_hidden", "purge_message"),
    *("custom_text", "custom_number", "custom_boolean", "custom_time"),
}
"""Functions that request-time connections may call; the others see every tenant and take an app from trusted code."""


@pytest.fixture
async def catalogue(chat_database: TemporaryDatabase):  # type: ignore[no-untyped-def]
    connection = await chat_database.connect()
    yield connection
    await connection.close()


async def test_every_tenant_table_begins_with_the_app_and_is_under_forced_row_level_security(
    catalogue: asyncpg.Connection,
) -> None:
    rows = await catalogue.fetch(
        """
        select c.relname, c.relrowsecurity and c.relforcerowsecurity as guarded,
            (select a.attname from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
             where i.indrelid = c.oid and i.indisprimary) as first_key
        from pg_class c where c.relnamespace = 'chat'::regnamespace and c.relkind = 'r'
        """
    )
    tenants = {row["relname"]: (row["guarded"], row["first_key"]) for row in rows} | {}
    for name in OPERATORS_TABLES:
        tenants.pop(name)
    assert len(tenants) >= 9
    assert tenants == dict.fromkeys(tenants, (True, "app_id"))


async def test_each_policy_checks_what_is_read_and_what_is_written(catalogue: asyncpg.Connection) -> None:
    rows = await catalogue.fetch(
        "select tablename, policyname, roles, cmd, qual, with_check from pg_policies where schemaname = 'chat'"
    )
    for row in rows:
        assert row["cmd"] == "ALL"
        if row["policyname"] == "tenant":
            assert row["roles"] == ["natter_app"]
            assert "natter.app_id" in row["qual"]
            assert row["qual"] == row["with_check"]
        else:
            assert (row["policyname"], row["roles"]) == ("engine", ["natter_engine"])


async def test_request_time_connections_reach_no_operators_table_and_no_function_that_sees_all(
    catalogue: asyncpg.Connection,
) -> None:
    readable = await catalogue.fetch(
        """
        select c.relname from pg_class c where c.relnamespace = 'chat'::regnamespace and c.relkind = 'r'
        and has_table_privilege('natter_app', c.oid, 'select')
        """
    )
    assert {row["relname"] for row in readable} & OPERATORS_TABLES == {"shard"}
    callable_ = await catalogue.fetch(
        """
        select p.proname from pg_proc p where p.pronamespace = 'chat'::regnamespace
        and has_function_privilege('natter_app', p.oid, 'execute')
        """
    )
    assert {row["proname"] for row in callable_} == FOR_REQUESTS


async def test_no_role_can_step_around_the_policies(catalogue: asyncpg.Connection) -> None:
    rows = await catalogue.fetch(
        "select rolname from pg_roles where rolname like 'natter%' and (rolsuper or rolbypassrls or rolcreaterole)"
    )
    assert rows == []


async def test_functions_that_see_all_pin_their_search_path(catalogue: asyncpg.Connection) -> None:
    rows = await catalogue.fetch(
        "select proname, proconfig from pg_proc where pronamespace = 'chat'::regnamespace and prosecdef"
    )
    assert len(rows) >= 6
    for row in rows:
        assert "search_path=pg_catalog, pg_temp" in (row["proconfig"] or []), row["proname"]


async def test_a_connection_without_an_app_sees_nothing_and_writes_nothing(app: App, world: World) -> None:
    await app.make_users("alice")
    await app.make_channel("a", "alice")
    pool = await world.shard.tenant.pool()
    for table in ("users", "channels", "members", "messages", "events", "log_heads", "active_users"):
        assert await pool.fetchval(f"select count(*) from chat.{table}") == 0, table
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(
            "insert into chat.users (app_id, id, created_at, updated_at) values ($1, 'x', now(), now())", app.id
        )


async def test_the_app_of_one_transaction_does_not_stay_on_the_pooled_connection(app: App, world: World) -> None:
    await app.make_users("alice")
    pool = await world.shard.tenant.pool()
    async with pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("select set_config('natter.app_id', $1, true)", str(app.id))
            assert await connection.fetchval("select count(*) from chat.users") == 1
        assert await connection.fetchval("select count(*) from chat.users") == 0
