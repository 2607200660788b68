"""How a unit of work begins: in whose name, on which connection."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kernel.db import Database, UnitOfWork
from tests.engines import TemporaryDatabase

ONE, OTHER = UUID(int=1), UUID(int=2)
TAKEN_FOR = "select pg_backend_pid(), nullif(current_setting('natter.app_id', true), '')"


@pytest.fixture
async def database(chat_database: TemporaryDatabase) -> AsyncIterator[Database]:
    """With one connection, which every unit takes."""
    database = Database(chat_database.url, role="natter_app", pool_size=1)
    yield database
    await database.close()


async def taken_for(uow: UnitOfWork) -> tuple[int, str | None]:
    """The connection, and the app that row-level security lets through."""
    pid, app = (await uow.session.execute(text(TAKEN_FOR))).one()
    return pid, app


async def test_a_unit_is_its_tenants_from_the_first_statement_to_the_last(database: Database) -> None:
    async with database.unit_of_work(str(ONE)) as uow:
        first = await taken_for(uow)
        assert await taken_for(uow) == first
    async with database.unit_of_work(str(OTHER)) as uow:
        second = await taken_for(uow)
    async with database.unit_of_work() as uow:
        third = await taken_for(uow)
    pid = first[0]
    assert [first, second, third] == [(pid, str(ONE)), (pid, str(OTHER)), (pid, None)]


@pytest.mark.parametrize("end", ["done", "raised"])
async def test_what_a_unit_without_a_statement_was_for_is_forgotten(database: Database, end: str) -> None:
    async with database.unit_of_work() as uow:
        pid, _ = await taken_for(uow)
    try:
        async with database.unit_of_work(str(ONE)):
            if end == "raised":
                raise LookupError
    except LookupError:
        pass
    async with database.unit_of_work() as uow:
        assert await taken_for(uow) == (pid, None)
    async with database.engine.connect() as connection:
        assert tuple((await connection.execute(text(TAKEN_FOR))).one()) == (pid, None)


async def test_after_a_rollback_within_a_unit_nobodys_rows_are_let_through(database: Database) -> None:
    async with database.unit_of_work(str(ONE)) as uow:
        await taken_for(uow)
        await uow.session.rollback()
        assert (await taken_for(uow))[1] is None


@pytest.mark.parametrize("tenant", ["", "x", "'; drop table chat.users; --", f"{ONE}'"])
async def test_a_tenant_is_a_uuid_or_nothing_begins(database: Database, tenant: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        async with database.unit_of_work(tenant):
            pytest.fail("it began")


@pytest.mark.parametrize("way", [{"read_only": True}, {"snapshot": True}])
async def test_a_reading_unit_cannot_write(database: Database, way: dict[str, bool]) -> None:
    async with database.unit_of_work(str(ONE), **way) as uow:
        assert (await taken_for(uow))[1] == str(ONE)
        isolation = (await uow.session.execute(text("show transaction_isolation"))).scalar()
        assert isolation == ("repeatable read" if "snapshot" in way else "read committed")
        with pytest.raises(DBAPIError, match="read-only"):
            await uow.session.execute(text("delete from chat.users"))


async def test_a_connection_that_the_server_ended_between_units_is_replaced(
    database: Database, chat_database: TemporaryDatabase
) -> None:
    async with database.unit_of_work(str(ONE)) as uow:
        pid, _ = await taken_for(uow)
        taken: Any = (await uow.session.connection()).sync_connection
        connection = taken.connection.driver_connection
    superuser = await chat_database.connect()
    assert await superuser.fetchval("select pg_terminate_backend($1, 5000)", pid)
    await superuser.close()
    while not connection.is_closed():
        await asyncio.sleep(0.002)
    async with database.unit_of_work(str(ONE)) as uow:
        new, app = await taken_for(uow)
    assert new != pid
    assert app == str(ONE)


async def test_a_connection_is_asked_whether_it_lives_only_after_a_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    original = database._ping
    monkeypatch.setattr(database, "_ping", lambda adapted: asked.append(True) or original(adapted))
    for _ in range(3):
        async with database.unit_of_work(str(ONE)) as uow:
            await taken_for(uow)
    assert asked == []
    monkeypatch.setattr("kernel.db.line.FRESH_SECONDS", 0.0)
    async with database.unit_of_work(str(ONE)) as uow:
        await taken_for(uow)
    assert asked == [True]
