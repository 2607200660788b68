"""The cursor over all of a user's logs: prefixes in commit order, nothing lost, nothing twice, no hole in any log."""

import asyncio
import random
from collections import defaultdict
from typing import Any

import pytest

from data_plane.log import Entry
from data_plane.log.reader import Changes, Since, TooMuch
from tests.data_plane.conftest import App, World


async def read_all(app: App, user_id: str, since: int, *, limit: int, tail: bool = False) -> tuple[list[Entry], int]:
    reader = app.world.shard.reader
    entries: list[Entry] = []
    while True:
        page = await reader.changes(app.id, user_id, since, limit=limit, tail=tail)
        assert page.cursor >= since
        entries += page.entries
        since = page.cursor
        if not page.has_more:
            return entries, since


def by_log(entries: list[Entry]) -> dict[str, list[int]]:
    logs: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        logs[entry.log].append(entry.seq)
    return logs


async def test_pages_of_any_size_make_the_same_whole(app: App) -> None:
    await app.make_users("alice", "bob")
    for name in "abc":
        await app.make_channel(name, "alice", "bob")
    for i in range(40):
        await app.send("abc"[i % 3], "bob", f"m{i}")
    whole, end = await read_all(app, "alice", 0, limit=1000)
    for limit in (1, 2, 3, 7, 50):
        pages, reached = await read_all(app, "alice", 0, limit=limit)
        assert [e.event for e in pages] == [e.event for e in whole]
        assert reached >= end
    assert by_log(whole)["c:a"] == list(range(1, 4 + 14))


async def test_nothing_new_is_an_empty_page_with_the_same_horizon(app: App) -> None:
    await app.make_users("alice")
    await app.make_channel("a", "alice")
    _, end = await read_all(app, "alice", 0, limit=100)
    assert await read_all(app, "alice", end, limit=100) == ([], end)


async def test_a_slow_transaction_holds_the_cursor_back_and_its_entries_are_not_skipped(app: App, world: World) -> None:
    await app.make_users("alice", "bob")
    await app.make_channel("slow", "alice", "bob")
    await app.make_channel("quick", "alice", "bob")
    _, start = await read_all(app, "alice", 0, limit=100)
    pool = await world.shard.system.pool()
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("select chat.lock_logs($1, $2)", [app.id], ["c:slow"])
        await connection.execute(
            "select chat.append_events($1, $2, $3, $4, $5, $6, $7)",
            *(app.id, ["c:slow"], ["channel.updated"], [None], [None], ["{}"], world.clock.now()),
        )
        await app.send("quick", "bob", "committed first, with a later transaction id")
        early, cursor = await read_all(app, "alice", start, limit=100)
        live, _ = await read_all(app, "alice", start, limit=100, tail=True)
        await transaction.commit()
    late, _ = await read_all(app, "alice", cursor, limit=100)
    assert early == []  # the prefix ends before the undecided transaction
    assert by_log(live) == {"c:quick": [4]}  # a live stream need not wait
    assert by_log(late) == {"c:slow": [4], "c:quick": [4]}


async def test_a_transaction_that_wrote_before_locking_is_refused(app: App, world: World) -> None:
    """Its id would be older than what it appends after, and a cut between the two ids would leave a hole."""
    await app.make_users("alice")
    await app.make_channel("a", "alice")
    with pytest.raises(Exception, match="before the transaction's first write"):
        async with world.shard.unit_of_work(app.id) as uow:
            from sqlalchemy import text

            await uow.session.execute(text("update chat.users set name = 'x' where id = 'alice'"))
            await world.shard.logs.lock(uow, app.id, ["c:a"])


async def test_appending_without_the_lock_is_refused(app: App, world: World) -> None:
    await app.make_users("alice")
    pool = await world.shard.system.pool()
    with pytest.raises(Exception, match="lock_logs first"):
        await pool.execute(
            "select chat.append_events($1, $2, $3, $4, $5, $6, $7)",
            *(app.id, ["u:alice"], ["user.updated"], [None], [None], ["{}"], world.clock.now()),
        )


async def test_who_missed_too_much_is_told_so_instead_of_getting_a_part(app: App, world: World) -> None:
    await app.make_users("alice", "bob")
    await app.make_channel("a", "alice", "bob")
    for i in range(20):
        await app.send("a", "bob", f"m{i}")
    with pytest.raises(TooMuch):
        await world.shard.reader.changes(app.id, "alice", 0, limit=5, at_most=10)


async def test_a_newcomer_gets_a_channel_from_its_joining_on(app: App) -> None:
    await app.make_users("alice", "bob", "carol")
    await app.make_channel("a", "alice", "bob")
    await app.send("a", "bob", "before")
    await app.call("POST", "/v1/channels/a/members", {"user_ids": ["carol"]})
    await app.send("a", "bob", "after")
    entries, _ = await read_all(app, "carol", 0, limit=100)
    assert by_log(entries)["c:a"] == [5, 6]
    assert entries[0].log == "u:carol"  # the channel is introduced before its first event


async def test_the_removed_gets_nothing_of_the_channel_any_more(app: App) -> None:
    await app.make_users("alice", "bob")
    await app.make_channel("a", "alice", "bob")
    _, start = await read_all(app, "bob", 0, limit=100)
    await app.send("a", "alice", "seen by members only")
    await app.call("DELETE", "/v1/channels/a/members/bob")
    await app.send("a", "alice", "later")
    entries, _ = await read_all(app, "bob", start, limit=100)
    assert [(e.log, e.type) for e in entries] == [("u:bob", "membership.removed")]


async def test_another_apps_logs_are_never_in_it(app: App, world: World) -> None:
    other = world.app()
    for tenant in (app, other):
        await tenant.make_users("alice", "bob")
        await tenant.make_channel("a", "alice", "bob")
    await other.send("a", "bob", "not yours")
    entries, _ = await read_all(app, "alice", 0, limit=100)
    assert {e.app_id for e in entries} == {app.id}
    assert b"not yours" not in b"".join(e.event for e in entries)


@pytest.mark.parametrize("seed", range(4))
async def test_a_reader_beside_busy_writers_gets_each_entry_once_and_every_log_whole(
    app: App, world: World, seed: int
) -> None:
    dice = random.Random(seed)
    await app.make_users("alice", "bob")
    names = [f"ch{i}" for i in range(8)]
    for name in names:
        await app.make_channel(name, "alice", "bob")
    _, since = await read_all(app, "alice", 0, limit=1000)
    collected: list[Entry] = []
    done = asyncio.Event()

    async def write() -> None:
        for i in range(60):
            name = dice.choice(names)
            if dice.random() < 0.2:
                await app.call("PATCH", f"/v1/channels/{name}", {"name": f"{i} {dice.random()}"})
            else:
                await app.send(name, "bob", f"m{i}")

    async def hold_an_old_transaction_open() -> None:
        pool: Any = await world.shard.system.pool()
        while not done.is_set():
            async with pool.acquire() as connection, connection.transaction():
                await connection.fetchval("select chat.xid()")
                await asyncio.sleep(dice.random() * 0.03)

    async def read() -> None:
        nonlocal since
        while not done.is_set():
            page = await world.shard.reader.changes(app.id, "alice", since, limit=dice.randint(1, 9))
            collected.extend(page.entries)
            since = page.cursor
            await asyncio.sleep(0)

    helpers = [asyncio.create_task(read()), asyncio.create_task(hold_an_old_transaction_open())]
    await asyncio.gather(*(write() for _ in range(3)))
    done.set()
    await asyncio.gather(*helpers)
    rest, _ = await read_all(app, "alice", since, limit=100)
    seen = by_log(collected + rest)
    heads = await app.fetch("select log, last_seq from chat.log_heads where app_id = $1 and log like 'c:%'")
    assert seen == {row["log"]: list(range(4, row["last_seq"] + 1)) for row in heads if row["last_seq"] > 3}


async def test_several_users_are_read_as_each_alone(app: App, world: World) -> None:
    other = world.app()
    for tenant in (app, other):
        await tenant.make_users("alice", "bob", "carol", "quiet")
        await tenant.make_channel("a", "alice", "bob")
        await tenant.make_channel("b", "alice", "bob", "carol")
        await tenant.make_channel("c", "quiet")
        sent = [await tenant.send(name, "bob", f"{name}{i}") for i in range(3) for name in "ab"]
        # What each may see differs: bob hides one, carol came late, a channel was truncated.
        done = [
            await tenant.call("POST", f"/v1/messages/{sent[0][0]}/hide", as_user="bob"),
            await tenant.call("PATCH", "/v1/channels/a", {"history": "joined"}),
            await tenant.call("POST", "/v1/channels/a/members", {"user_ids": ["carol"]}),
            *[await tenant.call("PUT", f"/v1/messages/{each[0]}/reactions/ok", as_user="alice") for each in sent[:4]],
            await tenant.call("POST", "/v1/channels/b/truncate", {"before": sent[3][1]}),
        ]
        assert {answer.status_code for answer in done} <= {200, 201}
        await tenant.send("a", "alice", "the last")
    reader = world.shard.reader
    users = [
        Since(each.id, user_id, 0) for each in (app, other) for user_id in ("alice", "bob", "carol", "quiet", "nobody")
    ]
    for limit, at_most in ((3, 10_000), (1000, 10_000), (1000, 10)):
        alone: list[Changes | None] = []
        for each in users:
            try:
                alone.append(
                    await reader.changes(each.app_id, each.user_id, 0, limit=limit, tail=True, at_most=at_most)
                )
            except TooMuch:
                alone.append(None)
        together = await reader.changes_of(users, limit=limit, tail=True, at_most=at_most)
        assert together == alone
        assert (None in together) == (at_most == 10)
    whole = dict(zip(users, await reader.changes_of(users, limit=1000), strict=True))
    for tenant in (app, other):
        types = {
            user_id: [entry.type for entry in page.entries]
            for (app_id, user_id, _), page in whole.items()
            if app_id == tenant.id and page is not None
        }
        assert types["nobody"] == []
        assert types["quiet"].count("message.created") == 0
        assert types["carol"].count("event.skipped") > types["alice"].count("event.skipped") > 0
        bobs, alices = whole[Since(tenant.id, "bob", 0)], whole[Since(tenant.id, "alice", 0)]
        assert bobs is not None and any(b'"hidden":true' in entry.event for entry in bobs.entries)
        assert alices is not None and not any(b'"hidden":true' in entry.event for entry in alices.entries)
        assert {entry.app_id for page in (bobs, alices) for entry in page.entries} == {tenant.id}
