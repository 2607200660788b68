"""A hot statement's connections: kept, thrown away after a failure, shared by who waits."""

import asyncio

import asyncpg
import pytest

from kernel.db import Database


@pytest.fixture
async def database(chat_database):
    """A database with room for two connections of a statement."""
    database = Database(chat_database.url, role="natter_engine", pool_size=2)
    yield database
    await database.close()


async def pid(statement, *arguments):
    return (await statement.fetch(*arguments))[0][0]


async def test_a_connection_is_kept_for_the_next_use(database):
    statement = database.hot("select pg_backend_pid()")
    assert await pid(statement) == await pid(statement)
    assert database.hot("select pg_backend_pid()") is statement


async def test_it_runs_under_the_databases_role(database):
    assert (await database.hot("select current_user").fetch())[0][0] == "natter_engine"


async def test_no_more_are_open_than_allowed_and_all_who_wait_are_served(database):
    statement = database.hot("select pg_backend_pid(), pg_sleep(0.02)")
    assert len(set(await asyncio.gather(*(pid(statement) for _ in range(12))))) == 2


async def test_after_a_failure_the_connection_is_another(database):
    statement = database.hot("select pg_backend_pid(), 1 / $1::int")
    first = await pid(statement, 1)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await statement.fetch(0)
    assert await pid(statement, 1) != first


async def test_a_use_that_is_cut_off_leaves_nothing_behind(database):
    statement = database.hot("select $1::text, pg_sleep($2)")
    for _ in range(5):
        cut_off = asyncio.create_task(statement.fetch("wrong", 5.0))
        await asyncio.sleep(0.05)
        cut_off.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut_off
    assert (await statement.fetch("right", 0.0))[0][0] == "right"


async def test_who_stops_waiting_passes_its_turn_on(database):
    statement = database.hot("select pg_sleep($1)")
    busy = [asyncio.create_task(statement.fetch(0.1)) for _ in range(2)]
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(statement.fetch(0.0)) for _ in range(6)]
    await asyncio.sleep(0)
    for task in waiting[:5]:
        task.cancel()
    await asyncio.wait_for(asyncio.gather(*busy, waiting[5]), 5)


async def test_connections_that_the_server_ended_are_opened_anew(database, chat_database):
    statement = database.hot("select pg_backend_pid()")
    first = await pid(statement)
    administrator = await chat_database.connect()
    await administrator.fetchval("select pg_terminate_backend($1)", first)
    await administrator.close()
    async with asyncio.timeout(5):
        while True:
            try:
                second = await pid(statement)
            except (
                asyncpg.PostgresConnectionError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                asyncpg.AdminShutdownError,
            ):
                continue  # it was in use before the end was heard of
            break
    assert second != first


async def test_a_database_that_is_away_fails_everybody_and_is_tried_again(chat_database):
    database = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=2)
    statement = database.hot("select 1")
    answers = await asyncio.gather(*(statement.fetch() for _ in range(6)), return_exceptions=True)
    assert all(isinstance(answer, OSError) for answer in answers)
    database.url = chat_database.url
    assert (await statement.fetch())[0][0] == 1
    await database.close()
