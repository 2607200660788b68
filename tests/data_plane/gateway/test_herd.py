"""Many who come back at once: what they cost the database, and what waiting does to them and to others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from data_plane.gateway import gateway as gateway_module
from data_plane.gateway.admission import LANES, MAX_BATCH
from kernel.clock import month_of
from tests.data_plane.conftest import App
from tests.data_plane.gateway.test_gateway import House, Line, until
from tests.engines import TemporaryDatabase

USERS = 60
FIRST_WORDS = ("typname", "current_setting", "transaction_timeout")
"""What new connections ask or say, by a word of it."""


@pytest.fixture
async def house(app: App) -> House:
    await app.make_users(*(f"u{n}" for n in range(USERS)), "writer")
    return House(app)


@pytest.fixture
async def superuser(shard_database: TemporaryDatabase) -> AsyncIterator[Any]:
    connection = await shard_database.connect()
    yield connection
    await connection.close()


async def all_at_once(house: House, cursors: dict[str, str]) -> dict[str, Line]:
    """Each from an address of its own."""
    lines = {}
    for n, (user, cursor) in enumerate(cursors.items()):
        wire, lines[user] = house.line(f"10.0.1.{n}")
        house.gateway.received(wire, b'0{"token":"%s","cursor":"%s"}' % (user.encode(), cursor.encode()))
    await until(lambda: all(line.events("connection.ready") for line in lines.values()), 15)
    return lines


async def cursors_of(house: House) -> dict[str, str]:
    found = {}
    for n in range(USERS):
        wire, line = await house.connect(f"u{n}")
        found[f"u{n}"] = line.events("connection.ready")[0][1]["cursor"]
        house.gateway.ended(wire)
    return found


async def test_a_herd_costs_each_a_share_of_a_few_statements(house: House, superuser: Any) -> None:
    missing = [f"u{n}" for n in range(0, USERS, 2)]
    await house.app.make_channel("a", "writer", *missing)
    cursors = await cursors_of(house)
    await house.app.send("a", "writer", "while you were away")
    await superuser.execute("create extension if not exists pg_stat_statements")
    await superuser.execute("select pg_stat_statements_reset()")
    live: list[int] = []
    house.gateway.on_live = lambda: live.append(len(house.gateway.registry))
    lines = await all_at_once(house, cursors)

    assert len(live) == USERS
    for user, line in lines.items():
        assert line.events("connection.ready")[0][1]["recovered"] is True
        assert len(line.events("message.created")) == (user in missing)
    rows = await superuser.fetch(
        "select query, calls from pg_stat_statements s join pg_database d on d.oid = s.dbid "
        "where d.datname = current_database() and toplevel and query not like '%pg_stat%'"
    )
    names = ("connect_users", "sync_page", "truncated_to > ")
    calls = {name: sum(row["calls"] for row in rows if name in row["query"]) for name in names}
    # Their tokens are checked one after another, so that the first statements begin with few.
    assert USERS / MAX_BATCH <= calls["connect_users"] <= USERS / 3
    # What they missed is read by the same batches.
    assert len(missing) / MAX_BATCH <= calls["sync_page"] <= calls["connect_users"] >= calls["truncated_to > "]
    # Nothing else but what a new connection asks and says once: no transaction around them, no look-up, no clean-up.
    others = [row["query"] for row in rows if not any(name in row["query"] for name in calls)]
    assert [query for query in others if not any(word in query for word in FIRST_WORDS)] == []


async def test_who_waits_for_its_turn_is_not_closed_for_being_slow(
    house: House, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "HANDSHAKE_SECONDS", 0.05)
    async with superuser.transaction():
        await superuser.execute("lock table chat.active_users in access exclusive mode")
        wire, line = house.line()
        house.gateway.received(wire, b'0{"token":"u1"}')
        await asyncio.sleep(0.3)
        assert line.sent == []
        assert not line.closed
        # And it counts no longer as one who has not said who it is.
        assert house.gateway._unauthenticated == {}
    await until(lambda: bool(line.events("connection.ready")))


async def test_nobody_is_late_while_what_came_is_not_read_yet(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "HANDSHAKE_SECONDS", 0.05)
    monkeypatch.setattr(gateway_module, "HANDSHAKE_PATIENCE", 0.05)
    busy = True

    def others() -> None:
        if busy:
            house.gateway.turns.enter_waking(others)

    others()
    _, line = house.line()
    await asyncio.sleep(0.3)
    assert not line.closed
    busy = False
    await until(lambda: line.closed)
    assert line.events("connection.closing")[0][1]["code"] == "not_authenticated"


async def test_who_is_refused_must_still_authenticate_in_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "HANDSHAKE_SECONDS", 0.05)
    house.gate.full = True
    _, line = await house.connect("u1")
    assert line.sent[0].startswith("4")
    await until(lambda: line.closed)
    assert line.events("connection.closing")[0][1]["code"] == "not_authenticated"


async def test_who_goes_while_it_waits_is_neither_read_nor_counted(house: House, superuser: Any) -> None:
    async with superuser.transaction():
        await superuser.execute("lock table chat.active_users in access exclusive mode")
        wires = []
        for n in range(LANES * MAX_BATCH + 10):
            wire, _ = house.line(f"10.0.2.{n}")
            house.gateway.received(wire, b'0{"token":"u%d"}' % n)
            wires.append(wire)
        await asyncio.sleep(0.1)
        gone = wires[-10:]
        for wire in gone:
            wire.ended()
    await until(lambda: len(house.gateway.registry) == LANES * MAX_BATCH)
    await until(lambda: house.gate.admitted == LANES * MAX_BATCH)
    active = await superuser.fetchval("select count(*) from chat.active_users where app_id = $1", house.app.id)
    assert active == LANES * MAX_BATCH


async def test_who_waits_for_a_lock_keeps_others_waiting_for_a_moment_only(house: House, superuser: Any) -> None:
    month = month_of(house.shard.clock.now())
    async with superuser.transaction():
        await superuser.execute(
            "insert into chat.active_users (app_id, month, user_id, at) values ($1, $2, 'u1', now())",
            house.app.id,
            month,
        )
        wire, stuck = house.line("10.0.4.1")
        house.gateway.received(wire, b'0{"token":"u1"}')
        await asyncio.sleep(0.02)
        for n in (2, 3):  # one that finds the batch under way, one that comes when it has been for long
            wire, line = house.line(f"10.0.4.{n}")
            house.gateway.received(wire, b'0{"token":"u%d"}' % n)
            await until(lambda line=line: bool(line.events("connection.ready")))
        assert stuck.sent == []
    await until(lambda: bool(stuck.events("connection.ready")))


async def test_one_user_that_the_database_has_trouble_with_keeps_nobody_out(house: House, superuser: Any) -> None:
    await superuser.execute(
        """
        create function public.trouble() returns trigger language plpgsql as
            $$ begin if new.user_id = 'u7' then raise exception 'trouble'; end if; return new; end $$;
        create trigger trouble before insert on chat.active_users for each row execute function public.trouble();
        """
    )
    try:
        lines = {}
        for n in range(20):
            wire, lines[n] = house.line(f"10.0.3.{n}")
            house.gateway.received(wire, b'0{"token":"u%d"}' % n)
        await until(lambda: all(line.sent for line in lines.values()), 20)  # the console draws the defect for seconds
    finally:
        await superuser.execute("drop trigger trouble on chat.active_users; drop function public.trouble()")
    assert [n for n, line in lines.items() if not line.events("connection.ready")] == [7]
    assert house.gate.admitted == 19
