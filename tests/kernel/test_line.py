"""A PostgreSQL that has gone silent costs seconds, not hung requests, and its return needs no restart."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from kernel.db import Database, asyncpg_url, database, line
from kernel.http.problems import database_is_away
from ops.chaos.proxy import Fault, Proxy
from tests.engines import Engines, TemporaryDatabase


@pytest.fixture
async def proxy(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Proxy]:
    made = Proxy(free_ports(1)[0], engines.postgres.port)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def through_proxy(
    proxy: Proxy, chat_database: TemporaryDatabase, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    monkeypatch.setattr(database, "HOT_COMMAND_SECONDS", 1.0)
    monkeypatch.setattr(database, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(database, "IDLE_SECONDS", 0.8)
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.8)
    monkeypatch.setattr(line, "CANCEL_PATIENCE", 0.3)
    parts = urlsplit(chat_database.url)
    url = urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")))
    made = Database(url, pool_size=4)
    yield made
    await made.close()


async def ask(db: Database) -> int:
    pool = await db.pool()
    answer: int = await pool.fetchval("select 1")
    return answer


async def ask_in_a_transaction(db: Database) -> int:
    async with db.unit_of_work(read_only=True) as uow:
        return int((await uow.session.execute(text("select 1"))).scalar_one())


async def fill(db: Database) -> None:
    """Have every connection open and idle."""
    pool = await db.pool()
    taken = [await pool.acquire() for _ in range(4)]
    for connection in taken:
        await pool.release(connection)
    await asyncio.gather(*(ask_in_a_transaction(db) for _ in range(4)))


@pytest.mark.parametrize("fault", ["swallow", "forget"])
async def test_a_silent_server_fails_commands_soon_and_all_its_connections_are_dropped(
    proxy: Proxy, through_proxy: Database, fault: Fault
):
    db = through_proxy
    await fill(db)
    proxy.break_with(fault)
    began = time.monotonic()
    # The hot path notices first, and those who would wait for much longer are told with it.
    outcomes = await asyncio.gather(ask(db), ask_in_a_transaction(db), ask_in_a_transaction(db), return_exceptions=True)
    assert time.monotonic() - began < 3.0
    assert all(isinstance(outcome, Exception) and database_is_away(outcome) for outcome in outcomes), outcomes
    assert db.line.drops == 1

    proxy.heal()
    began = time.monotonic()
    assert await asyncio.gather(ask(db), ask_in_a_transaction(db)) == [1, 1]
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("moment", ["between statements", "within a statement"])
async def test_what_a_silent_client_held_is_free_soon_however_many_of_its_connections_waited_for_it(
    proxy: Proxy, through_proxy: Database, chat_database: TemporaryDatabase, moment: str
):
    pool = await through_proxy.pool()
    lock = "select pg_advisory_xact_lock(7)"
    holder = await pool.acquire()
    await holder.execute("begin")
    await holder.execute(lock)
    if moment == "within a statement":
        # Parsed, and never asked for: the server calls this active, and no limit on idling counts.
        await holder.prepare("select 2")
    watcher = await asyncpg.connect(asyncpg_url(chat_database.url))
    if moment == "within a statement" and watcher.get_server_version().major < database.TRANSACTION_TIMEOUT_SINCE:
        pytest.skip("TCP's keep-alive does it there, which no proxy shows")
    limit = 2 * database.HOT_COMMAND_SECONDS if moment == "within a statement" else database.IDLE_SECONDS
    waiting = [asyncio.create_task(pool.execute(f"begin; {lock}")) for _ in range(3)]
    while await watcher.fetchval("select count(*) from pg_locks where not granted") < 3:
        await asyncio.sleep(0.01)
    state = await watcher.fetchval("select state from pg_stat_activity where pid = $1", holder.get_server_pid())
    assert state == ("active" if moment == "within a statement" else "idle in transaction")
    # From here on the server hears nothing of the client, not even its end.
    proxy.break_with("forget")
    began = time.monotonic()
    await watcher.fetchval(lock, timeout=10)
    assert time.monotonic() - began < limit + 1.5
    await watcher.close()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, Exception) and database_is_away(outcome) for outcome in outcomes), outcomes
    proxy.heal()


async def test_a_statement_that_waits_too_long_for_anothers_transaction_is_refused_and_may_be_repeated(
    through_proxy: Database, chat_database: TemporaryDatabase
):
    other = await asyncpg.connect(asyncpg_url(chat_database.url))
    await other.execute("begin; select pg_advisory_xact_lock(8)")
    with pytest.raises(Exception) as raised:
        async with through_proxy.unit_of_work() as uow:
            await uow.session.execute(text("select pg_advisory_xact_lock(8)"))
    assert "lock timeout" in str(raised.value) and database_is_away(raised.value)
    await other.close()
    async with through_proxy.unit_of_work() as uow:
        await uow.session.execute(text("select pg_advisory_xact_lock(8)"))


async def test_a_connection_that_cannot_be_made_ready_is_not_left_open(
    chat_database: TemporaryDatabase, monkeypatch: pytest.MonkeyPatch
):
    db = Database(chat_database.url, name="half-open")

    async def cut_off(self: Any, *_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(db.line.connection_class, "execute", cut_off)
        patch.setattr(database, "TRANSACTION_TIMEOUT_SINCE", 0)
        with pytest.raises(asyncio.CancelledError):
            await ask(db)
    watcher = await chat_database.connect()
    async with asyncio.timeout(5):
        while await watcher.fetchval("select count(*) from pg_stat_activity where application_name = 'half-open'"):
            await asyncio.sleep(0.01)
    await watcher.close()
    await db.close()


async def test_a_slow_statement_fails_alone(through_proxy: Database):
    pool = await through_proxy.pool()
    neighbour = asyncio.create_task(pool.fetchval("select 7 from pg_sleep(0.9)"))
    await asyncio.sleep(0.3)
    with pytest.raises(TimeoutError):
        await pool.fetchval("select pg_sleep(60)", timeout=0.2)
    assert await neighbour == 7
    await asyncio.sleep(line.CANCEL_PATIENCE)
    assert await ask(through_proxy) == 1
    assert through_proxy.line.drops == 0


async def test_who_goes_on_with_a_dropped_connection_hears_that_the_database_is_away(through_proxy: Database):
    db = through_proxy
    connection = await asyncpg.connect(asyncpg_url(db.url), connection_class=db.line.connection_class)
    asyncio.get_running_loop().call_later(0.1, db.line.drop)
    for statement in ("select pg_sleep(5)", "select 1"):
        with pytest.raises(Exception) as raised:
            await connection.fetchval(statement)
        assert database_is_away(raised.value), raised.value
    assert await ask(db) == 1


async def test_postgresqls_own_types_are_asked_for_once_and_those_of_a_database_by_each_connection(
    chat_database: TemporaryDatabase, monkeypatch: pytest.MonkeyPatch
):
    asked: list[set[int]] = []
    ask_asyncpg = asyncpg.Connection._introspect_types

    async def ask_and_note(self: Any, types: Any, timeout: Any) -> Any:
        asked.append(set(types))
        return await ask_asyncpg(self, types, timeout)

    monkeypatch.setattr(line, "_types", {})
    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", ask_and_note)
    db, ids = Database(chat_database.url), [uuid4(), uuid4()]
    for _ in range(3):
        connection = await asyncpg.connect(
            asyncpg_url(db.url),
            connection_class=db.line.connection_class,
            server_settings={"role": "natter_engine"},
        )
        assert await connection.fetchval("select $1::uuid[]", ids) == ids
        assert await connection.fetchval("select $1::bigint[]", [7, 8]) == [7, 8]
        assert (await connection.fetchval("select row(x.*)::chat.blocks from chat.blocks x")) is None
        await connection.close()
    await db.close()
    own = [types for types in asked if max(types) < line.BUILT_IN]
    assert len(own) == len({*map(frozenset, own)}) == 2
    assert len(asked) - len(own) == 3, "the number of a database's own type is another one elsewhere"
