"""The flush: many sends in one transaction, each with its own verdict, each id stored once."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from data_plane.messages import flush as flush_module
from data_plane.messages.flush import Flusher, NewMessage, Overloaded, Verdict
from kernel.errors import Unavailable
from tests.data_plane.conftest import App, World


def message(app: App, channel_id: str = "a", user_id: str = "alice", **changes: Any) -> NewMessage:
    values: dict[str, Any] = {
        "app_id": app.id,
        "channel_id": channel_id,
        "id": app.world.shard.ids.uuid7(),
        "user_id": user_id,
        "text": "hello",
        "attachments": None,
        "custom": None,
        "silent": False,
        "content_hash": b"same",
        "by_server": False,
        "count_active": True,
        "subject": f"s-{user_id}",
    }
    return NewMessage(**(values | changes))


def flusher(world: World, **options: Any) -> tuple[Flusher, list[tuple[NewMessage, Verdict]]]:
    stored: list[tuple[NewMessage, Verdict]] = []
    return Flusher(world.shard.system.pool, world.clock, stored.extend, **options), stored


async def prepare(app: App) -> None:
    await app.make_users("alice", "bob", "eve")
    await app.make_channel("a", "alice", "bob")
    await app.make_channel("b", "alice", "bob")


async def verdicts(lane: Flusher, *messages: NewMessage) -> list[str]:
    return [verdict.verdict for verdict in await asyncio.gather(*(lane.append(item) for item in messages))]


async def test_a_refused_message_fails_alone(app: App, world: World) -> None:
    await prepare(app)
    lane, stored = flusher(world, lanes=1)
    other = world.app()
    await prepare(other)
    found = await verdicts(
        lane,
        message(app),
        message(app, user_id="eve"),
        message(app, channel_id="nowhere"),
        message(app, user_id="eve", by_server=True),
        message(app, user_id="nobody", by_server=True),
        message(other),
        message(app),
    )
    assert found == ["created", "not_member", "no_channel", "created", "no_user", "created", "created"]
    assert [verdict.seq for item, verdict in stored if item.app_id == app.id] == [4, 5, 6]
    await app.check_logs()


async def test_an_id_is_stored_once_within_a_flush_and_between_flushes(app: App, world: World) -> None:
    await prepare(app)
    lane, stored = flusher(world, lanes=1)
    first = message(app)
    again = [message(app, id=first.id) for _ in range(3)]
    answers = await asyncio.gather(*(lane.append(item) for item in (first, *again)))
    later = await lane.append(message(app, id=first.id))
    assert [a.verdict for a in answers] == ["created", "duplicate", "duplicate", "duplicate"]
    assert {(a.seq, a.number, a.created_at) for a in (*answers, later)} == {(4, 1, later.created_at)}
    assert len(stored) == 1


@pytest.mark.parametrize(
    "change",
    [{"user_id": "bob"}, {"channel_id": "b"}, {"content_hash": b"else"}],
    ids=["another author", "another channel", "other content"],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one flush", "later"])
async def test_an_id_that_stands_for_something_else_is_a_conflict(
    app: App, world: World, change: dict[str, Any], together: bool
) -> None:
    await prepare(app)
    lane, _ = flusher(world, lanes=1)
    first = message(app)
    second = message(app, **({"id": first.id} | change))
    if together:
        assert await verdicts(lane, first, second) == ["created", "conflict"]
    else:
        assert await verdicts(lane, first) == ["created"]
        assert await verdicts(lane, second) == ["conflict"]
    rows = await app.fetch("select id from chat.messages where app_id = $1")
    assert [row["id"] for row in rows] == [first.id]


async def test_an_id_of_another_app_is_free(app: App, world: World) -> None:
    await prepare(app)
    other = world.app()
    await prepare(other)
    lane, _ = flusher(world, lanes=1)
    shared: UUID = world.shard.ids.uuid7()
    assert await verdicts(lane, message(app, id=shared), message(other, id=shared)) == ["created", "created"]


async def test_the_same_ids_sent_at_once_by_two_nodes_are_stored_once_and_leave_no_gap(app: App, world: World) -> None:
    await prepare(app)
    one, _ = flusher(world, lanes=1)
    two, _ = flusher(world, lanes=1)
    for _ in range(60):
        batch = [message(app, channel_id="ab"[i % 2]) for i in range(10)]
        left, right = await asyncio.gather(
            asyncio.gather(*(one.append(item) for item in batch)),
            asyncio.gather(*(two.append(item) for item in reversed(batch))),
        )
        for a, b in zip(left, reversed(right), strict=True):
            assert {a.verdict, b.verdict} == {"created", "duplicate"}
            assert (a.seq, a.number, a.created_at) == (b.seq, b.number, b.created_at)
    await app.check_logs()
    counted = await app.fetch(
        "select sum(quantity) as n from chat.usage_outbox where app_id = $1 and meter = 'messages'"
    )
    assert counted[0]["n"] == 600


async def test_numbers_grow_only_for_messages_that_count(app: App, world: World) -> None:
    await prepare(app)
    lane, stored = flusher(world, lanes=1)
    await verdicts(lane, message(app), message(app, silent=True), message(app), message(app, silent=True))
    assert [verdict.number for _, verdict in stored] == [1, 1, 2, 2]
    assert [verdict.seq for _, verdict in stored] == [4, 5, 6, 7]


async def test_sending_moves_the_senders_own_position_and_nobody_elses(app: App, world: World) -> None:
    await prepare(app)
    lane, _ = flusher(world, lanes=1)
    await verdicts(lane, message(app), message(app, user_id="bob"), message(app))
    rows = await app.fetch("select user_id, read_number from chat.members where app_id = $1 and channel_id = 'a'")
    assert {row["user_id"]: row["read_number"] for row in rows} == {"alice": 3, "bob": 2}


async def test_a_frozen_channel_takes_messages_of_the_server_alone(app: App, world: World) -> None:
    await prepare(app)
    await app.call("PATCH", "/v1/channels/a", {"frozen": True})
    lane, _ = flusher(world, lanes=1)
    assert await verdicts(lane, message(app), message(app, by_server=True)) == ["frozen", "created"]


async def test_an_author_is_counted_once_a_month(app: App, world: World) -> None:
    await prepare(app)
    lane, _ = flusher(world, lanes=1)
    await verdicts(lane, *(message(app, user_id=user) for user in ("alice", "bob", "alice")))
    await verdicts(lane, message(app))
    rows = await app.fetch("select subject, quantity from chat.usage_outbox where app_id = $1 and meter = 'mau'")
    assert sorted((row["subject"], row["quantity"]) for row in rows) == [("s-alice", 1), ("s-bob", 1)]


async def test_who_waits_in_a_full_queue_is_refused_at_once(app: App, world: World) -> None:
    await prepare(app)
    lane, _ = flusher(world, lanes=1, max_waiting=5)
    answers = await asyncio.gather(*(lane.append(message(app)) for _ in range(8)), return_exceptions=True)
    assert [isinstance(answer, Overloaded) for answer in answers] == [False] * 5 + [True] * 3


async def test_a_database_that_is_away_is_a_retryable_error_and_the_retry_stores_once(app: App, world: World) -> None:
    await prepare(app)
    real = world.shard.system.pool
    away = True

    async def pool() -> Any:
        if away:
            raise ConnectionRefusedError("no database")
        return await real()

    lane = Flusher(pool, world.clock, lambda stored: None)
    item = message(app)
    with pytest.raises(Unavailable) as caught:
        await lane.append(item)
    assert caught.value.retryable
    away = False
    assert (await lane.append(item)).verdict == "created"


async def test_a_message_the_database_cannot_take_does_not_fail_its_neighbours(app: App, world: World) -> None:
    await prepare(app)
    lane, _ = flusher(world, lanes=1)
    poison = message(app, attachments="{not json")
    answers = await asyncio.gather(
        lane.append(message(app)), lane.append(poison), lane.append(message(app)), return_exceptions=True
    )
    assert [getattr(answer, "verdict", type(answer).__name__) for answer in answers] == [
        "created",
        "Unavailable",
        "created",
    ]
    await app.check_logs()


async def test_batches_are_cut_at_the_limit_and_keep_the_order(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush_module, "MAX_BATCH", 7)
    await prepare(app)
    lane, stored = flusher(world, lanes=1)
    items = [message(app) for _ in range(40)]
    await verdicts(lane, *items)
    assert [item.id for item, _ in stored] == [item.id for item in items]
    assert [verdict.seq for _, verdict in stored] == list(range(4, 44))


async def test_a_channel_that_another_node_writes_keeps_nobody_waiting(app: App, world: World) -> None:
    await prepare(app)
    lane, stored = flusher(world, lanes=1)
    pool = await world.shard.system.pool()
    slow = [message(app, channel_id="a") for _ in range(6)]
    async with pool.acquire() as other, other.transaction():
        await other.execute("select chat.lock_logs($1, $2)", [app.id], ["c:a"])
        waiting = [asyncio.create_task(lane.append(item)) for item in slow[:4]]
        async with asyncio.timeout(5):
            assert await verdicts(lane, *(message(app, channel_id="b") for _ in range(5))) == ["created"] * 5
            await asyncio.sleep(0.05)
            waiting += [asyncio.create_task(lane.append(item)) for item in slow[4:]]
            assert await verdicts(lane, message(app, channel_id="b")) == ["created"]
        assert not any(task.done() for task in waiting)
        assert lane.waiting == 2
    answers = await asyncio.gather(*waiting)
    assert [(answer.verdict, answer.seq) for answer in answers] == [("created", seq) for seq in range(4, 10)]
    assert [item.id for item, _ in stored if item.channel_id == "a"] == [item.id for item in slow]
    assert await verdicts(lane, message(app, channel_id="a")) == ["created"]
    await lane.drain()
    assert lane._own == {}
    await app.check_logs()


async def test_a_lane_rests_as_long_as_a_few_took_so_that_more_gather(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(app)
    sizes: list[int] = []
    write = Flusher._write

    async def slow(self: Flusher, messages: list[NewMessage], sql: str) -> list[Verdict]:
        sizes.append(len(messages))
        await asyncio.sleep(0.1)
        return await write(self, messages, sql)

    monkeypatch.setattr(Flusher, "_write", slow)
    monkeypatch.setattr(flush_module, "LONGEST_REST", 0.1)
    lane, _ = flusher(world, lanes=1)
    assert await verdicts(lane, message(app, channel_id="a")) == ["created"]
    assert lane._common[0].rests_until == 0.0, "it was alone"
    assert await verdicts(lane, *(message(app, channel_id="a") for _ in range(5))) == ["created"] * 5
    first = asyncio.create_task(lane.append(message(app, channel_id="a")))
    for _ in range(5):
        await asyncio.sleep(0)
    assert await verdicts(lane, message(app, channel_id="b")) == ["created"]
    assert (await first).verdict == "created"
    assert sizes == [1, 5, 2]
    await lane.drain()


async def test_a_channel_that_would_fill_a_batch_goes_its_own_way_in_order(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush_module, "MAX_SHARE", 3)
    await prepare(app)
    lane, stored = flusher(world, lanes=1)
    items = [message(app, channel_id="b" if n % 10 == 0 else "a") for n in range(60)]
    assert await verdicts(lane, *items) == ["created"] * 60
    for channel in "ab":
        sent = [item.id for item in items if item.channel_id == channel]
        assert [item.id for item, _ in stored if item.channel_id == channel] == sent
    await lane.drain()
    assert lane._own == {}
    await app.check_logs()


async def test_apps_take_turns_in_a_lane(app: App, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flush_module, "MAX_BATCH", 10)
    for name in ("LOUD", "LOUDEST"):  # in one lane, whose order no other's flush changes
        monkeypatch.setattr(flush_module, name, 10**6)
    others = [world.app(), world.app()]
    for each in (app, *others):
        await prepare(each)
    lane, stored = flusher(world, lanes=1)
    loud = [message(app) for _ in range(60)]
    quiet = [message(each) for each in others for _ in range(3)]
    await verdicts(lane, *loud, *quiet)
    order = [item.id for item, _ in stored]
    # What all had queued before the first flush: two rounds of ten, with three, three and four places each.
    assert all(order.index(item.id) < 20 for item in quiet)
    for sent in (loud, [item for item in quiet if item.app_id == others[0].id]):
        assert [one for one in order if one in {item.id for item in sent}] == [item.id for item in sent]
    assert len(order) == 66


@pytest.mark.parametrize("company", [True, False])
async def test_a_channel_that_was_set_apart_writes_little_at_a_time_where_others_write_too(
    company: bool, app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(app)
    sizes: list[int] = []
    write = Flusher._write

    async def counted(self: Flusher, messages: list[NewMessage], sql: str) -> list[Verdict]:
        if sql == flush_module._WAIT:
            sizes.append(len(messages))
        return await write(self, messages, sql)

    monkeypatch.setattr(Flusher, "_write", counted)
    lane, stored = flusher(world, lanes=1)
    pool = await world.shard.system.pool()
    hot = [message(app, channel_id="a") for _ in range(3 * flush_module.SMALL)]
    async with pool.acquire() as other, other.transaction():
        await other.execute("select chat.lock_logs($1, $2)", [app.id], ["c:a"])
        waiting = [asyncio.create_task(lane.append(hot[0]))]
        while not sizes:  # it has a lane of its own and waits for the other node there
            await asyncio.sleep(0.01)
        waiting += [asyncio.create_task(lane.append(item)) for item in hot[1:]]
        if company:
            assert await verdicts(lane, message(app, channel_id="b")) == ["created"]
    assert {answer.verdict for answer in await asyncio.gather(*waiting)} == {"created"}
    assert sum(sizes) == len(hot)
    assert (max(sizes) <= flush_module.SMALL) == company
    assert [item.id for item, _ in stored if item.channel_id == "a"] == [item.id for item in hot]
    await app.check_logs()


async def test_a_channel_that_two_nodes_met_in_once_does_not_rest_for_it(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush_module, "SMALL_REST", 60.0)
    await prepare(app)
    lane, _ = flusher(world, lanes=1)
    pool = await world.shard.system.pool()
    async with pool.acquire() as other, other.transaction():
        await other.execute("select chat.lock_logs($1, $2)", [app.id], ["c:a"])
        first = asyncio.create_task(lane.append(message(app, channel_id="a")))
        while not lane._own:
            await asyncio.sleep(0.01)
        assert await verdicts(lane, message(app, channel_id="b")) == ["created"]
    async with asyncio.timeout(10):
        await first
        assert await verdicts(lane, message(app, channel_id="a")) == ["created"]
        await lane.drain()
    assert lane._own == {}


@pytest.mark.parametrize("count", [120, 8])
@pytest.mark.parametrize("fair", [True, False])
async def test_nobody_waits_for_the_flush_of_a_loud_app(
    fair: bool, count: int, app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fair:  # to see that this test can tell
        monkeypatch.setattr(flush_module, "LOUD", 10**6)
        monkeypatch.setattr(flush_module, "LOUDEST", 10**6)
    other, slow = world.app(), asyncio.Event()
    await prepare(app)
    await prepare(other)
    real = await world.shard.system.pool()

    class Slow:
        async def fetch(self, query: str, *args: Any) -> Any:
            if len([app_id for app_id in args[0] if app_id == app.id]) > 1:
                await slow.wait()
            return await real.fetch(query, *args)

    async def pool() -> Any:
        return Slow()

    stored: list[tuple[NewMessage, Verdict]] = []
    lane = Flusher(pool, world.clock, stored.extend, lanes=1)
    assert await verdicts(lane, message(app), message(other)) == ["created"] * 2
    loud = [message(app, channel_id="ab"[n % 2]) for n in range(count)]
    waiting = [asyncio.create_task(lane.append(item)) for item in loud]
    quiet = asyncio.gather(*(asyncio.create_task(lane.append(message(other))) for _ in range(5)))
    done, _ = await asyncio.wait([quiet], timeout=10 if fair else 0.3)
    assert bool(done) == fair
    assert not any(task.done() for task in waiting)
    slow.set()
    assert {answer.verdict for answer in [*await quiet, *await asyncio.gather(*waiting)]} == {"created"}
    for channel in "ab":
        sent = [item.id for item in loud if item.channel_id == channel]
        assert [item.id for item, _ in stored if item.id in set(sent)] == sent
    await lane.drain()
    assert lane._own == {}
    await app.check_logs()
    await other.check_logs()


async def test_apps_that_write_alike_share_their_flushes(app: App, world: World) -> None:
    others = [app, world.app(), world.app()]
    for each in others:
        await prepare(each)
    lane, _ = flusher(world, lanes=1)
    waiting = [asyncio.create_task(lane.append(message(each))) for _ in range(20) for each in others]
    while not all(task.done() for task in waiting):
        assert not any(own.loud is not None for own in lane._own.values())
        await asyncio.sleep(0)
    for each in others:
        await each.check_logs()


async def test_one_app_alone_keeps_the_common_lanes(app: App, world: World) -> None:
    await prepare(app)
    lane, _ = flusher(world, lanes=1)
    waiting = [asyncio.create_task(lane.append(message(app))) for _ in range(150)]
    while not all(task.done() for task in waiting):
        assert not any(own.loud is not None for own in lane._own.values())
        await asyncio.sleep(0)
    await app.check_logs()


async def test_an_app_that_fills_its_queue_leaves_room_for_others(app: App, world: World) -> None:
    other = world.app()
    await prepare(app)
    await prepare(other)
    lane, _ = flusher(world, lanes=1, max_waiting=5)
    answers = await asyncio.gather(
        *(lane.append(message(app)) for _ in range(8)), lane.append(message(other)), return_exceptions=True
    )
    assert [isinstance(answer, Overloaded) for answer in answers] == [False] * 5 + [True] * 3 + [False]


async def test_the_flush_reads_by_index_also_when_its_plans_were_made_on_empty_tables(app: App, world: World) -> None:
    await prepare(app)
    lane, _ = flusher(world, lanes=1)
    for _ in range(12):  # past the five custom plans of a prepared statement
        await verdicts(lane, *(message(app) for _ in range(50)))
    tables = ["messages", "members", "channels", "log_heads", "users"]
    query = (
        "select relname, coalesce(sum(seq_scan), 0) as n from pg_stat_user_tables "
        "where schemaname = 'chat' and relname = any($1) group by 1"
    )
    pool = await world.shard.system.pool()

    async def scans() -> dict[str, int]:
        await pool.execute("select pg_stat_force_next_flush()")
        return {row["relname"]: row["n"] for row in await pool.fetch(query, tables)}

    await asyncio.sleep(1.1)
    before = await scans()
    for _ in range(5):
        await verdicts(lane, *(message(app) for _ in range(50)))
    await asyncio.sleep(1.1)
    assert await scans() == before


async def test_a_server_does_not_send_for_a_deactivated_user(app):
    await app.make_users("ann")
    await app.make_channel("den", "ann")
    await app.fetch("update chat.users set deactivated_at = now() where app_id = $1")
    assert await app.verdict("den", "ann", by_server=True) == "deactivated"
    await app.fetch("update chat.users set deactivated_at = null where app_id = $1")
    assert await app.verdict("den", "ann", by_server=True) == "created"
