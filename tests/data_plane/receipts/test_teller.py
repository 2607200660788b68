"""What those who watch a channel hear of how far its members are."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from data_plane.log import LogKey
from data_plane.presence import audience
from data_plane.receipts import teller
from data_plane.receipts.crowd import COUNT_PERIOD
from data_plane.receipts.events import DELIVERED, READ
from data_plane.receipts.teller import PATIENCE, Teller
from tests.data_plane.presence.nodes import Nodes, Process


def heard(who: Any, name: str = READ) -> list[dict[str, int]]:
    return [{mark["user_id"]: mark["number"] for mark in e["data"]["positions"]} for _, e in who[1].events(name)]


async def read(node: Process, user: str, number: int | None = None) -> None:
    await node.receipts.mark_read(node.app.user(user), "a", number=number, message_id=None)


async def test_watchers_hear_of_many_reads_in_one_event_and_the_reader_on_all_its_devices(nodes: Nodes) -> None:
    one, two = nodes
    for _ in range(5):
        await one.app.send("a", "alice")
    alice, phone = await two.enter("alice", "a"), await one.enter("bob")
    state = alice[1].acks()[1]["receipts"]
    assert state["receipts"] == [
        {"user_id": "alice", "read_number": 5, "delivered_number": 5},
        {"user_id": "bob", "read_number": 0, "delivered_number": 0},
    ]
    for number in range(1, 5):
        await read(one, "bob", number)
    await one.receipts.mark_delivered(one.app.user("bob"), "a", number=None, message_id=None)
    await two.teller.round()
    assert (heard(alice), heard(alice, DELIVERED)) == ([{"bob": 4}], [{"bob": 5}])
    assert [e["data"]["read_number"] for _, e in phone[1].events("unread.changed")] == [1, 2, 3, 4]
    await one.receipts.mark_unread(one.app.user("bob"), "a", number=2, message_id=None)
    await one.receipts.read_all(one.app.user("bob"), type=None)
    await two.teller.round()
    assert heard(alice)[1:] == [{"bob": 5}]
    assert await one.app.types("c:a") == ["channel.created", "member.added", "member.added"] + 5 * ["message.created"]


async def test_who_is_hidden_or_hides_is_not_heard_of(nodes: Nodes) -> None:
    one, two = nodes
    assert (await one.app.call("PUT", "/v1/channels/a/members/eve")).is_success
    await one.app.send("a", "alice")
    assert (await one.app.call("PUT", "/v1/users/me/blocks/bob", as_user="eve")).is_success
    assert (await one.app.call("PUT", "/v1/users/alice/privacy", {"read_receipts": False}, as_user="alice")).is_success
    alice, eve = await two.enter("alice", "a"), await two.enter("eve", "a")
    await read(one, "bob")
    await read(one, "alice")
    await two.teller.round()
    assert (heard(alice), heard(eve)) == ([{"bob": 1}], [])
    by_user = {each["user_id"]: each["read_number"] for each in eve[1].acks()[1]["receipts"]["receipts"]}
    assert by_user == {"alice": None, "bob": None, "eve": 0}


async def test_what_the_bus_lost_is_read_after_the_commit_is_seen(nodes: Nodes) -> None:
    one, two = nodes
    await one.app.send("a", "alice")
    alice = await two.enter("alice", "a")
    two.deaf = True
    await read(one, "bob")
    pool = await one.shard.system.pool()
    row = await pool.fetchrow("select * from chat.commits where $1 = any(apps) order by xid desc limit 1", one.app.id)
    heads = [(LogKey(a, log), seq) for a, log, seq in zip(row["apps"], row["logs"], row["seqs"], strict=True)]
    assert {key.log for key, _ in heads} == {"u:bob", "r:a"}
    await two.teller.follow(heads)
    await two.teller.round()
    assert heard(alice) == [], "the bus may bring it yet"
    two.world.clock.advance(timedelta(seconds=PATIENCE))
    await two.teller.round()
    assert heard(alice)[0]["bob"] == 1
    assert two.teller.reread == 1
    two.deaf = False
    await one.teller.follow(heads)
    assert one.teller.reread == 0


async def test_a_large_channel_tells_how_many(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (audience, teller):
        monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setattr("data_plane.presence.service.LARGE", 1)
    one, two = nodes
    await one.app.send("a", "alice")
    alice = await two.enter("alice", "a")
    state = alice[1].acks()[1]["receipts"]
    assert (state["aggregated"], state["number"], state["read_by_count"], state["receipts"]) == (True, 1, 0, [])
    await asyncio.gather(*(read(one, "bob") for _ in range(3)))
    two.world.clock.advance(timedelta(seconds=COUNT_PERIOD))
    await two.readers.round()
    data = alice[1].events(READ)[-1][1]["data"]
    assert data == {"aggregated": True, "positions": [], "number": 1, "count": 1}


async def test_a_type_may_keep_receipts_to_itself(nodes: Nodes) -> None:
    one, two = nodes
    await one.app.send("a", "alice")
    assert (await one.app.call("PUT", "/v1/channel-types/group", {"grants": {}, "receipts": False})).is_success
    await two.shard.grants.refresh(one.app.id)
    alice = await two.enter("alice", "a")
    assert alice[1].acks()[1]["receipts"] is None
    await read(one, "bob")
    await two.teller.round()
    assert heard(alice) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_what_was_told_makes_what_a_fresh_reader_reads_after_any_history(nodes: Nodes, seed: int) -> None:
    await history(nodes, seed)


@pytest.mark.parametrize("defect", ["nothing is read again", "marks back are told as reads"])
async def test_a_teller_that_loses_something_is_found(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, defect: str
) -> None:
    if defect.startswith("nothing"):

        async def forget(self: Teller, key: LogKey) -> None:
            pass

        monkeypatch.setattr(Teller, "_read_again", forget)
    else:
        event = Teller._event

        def forward(self: Teller, key: LogKey, type: str, data: Any) -> Any:
            told = [{**mark, "exact": False} for mark in data["positions"]]
            return event(self, key, type, {**data, "positions": told})

        monkeypatch.setattr(Teller, "_event", forward)
    with pytest.raises(AssertionError):
        await history(nodes, 1, lost=0.6 if defect.startswith("nothing") else 0.0)


async def history(nodes: Nodes, seed: int, lost: float = 0.2) -> None:
    """Reads, marks back, deliveries and sends on one process; the other watches, and the bus loses some of it."""
    one, two = nodes
    chance, app = random.Random(seed), one.app
    assert (await app.call("PUT", "/v1/channels/a/members/eve")).is_success
    numbers = [(await app.send("a", "alice"))[2] for _ in range(3)]
    alice = await two.enter("alice", "a")
    state = {
        each["user_id"]: [each["read_number"], each["delivered_number"]]
        for each in alice[1].acks()[1]["receipts"]["receipts"]
    }
    pool, seen, since = await one.shard.system.pool(), 0, 0

    def apply() -> None:
        nonlocal seen
        events = [(name, e["data"]) for name, e in alice[1].events() if name in (READ, DELIVERED)]
        for name, data in events[seen:]:
            for mark in data["positions"]:
                held = state[mark["user_id"]]
                place = 0 if name == READ else 1
                held[place] = mark["number"] if mark["exact"] else max(held[place], mark["number"])
                held[1] = max(held)
        seen = len(events)

    for step in range(60):
        user = chance.choice(("bob", "eve"))
        caller, number = app.user(user), chance.randint(0, len(numbers) + 1)
        two.deaf = chance.random() < lost
        match chance.choice(("read", "unread", "delivered", "all", "send")):
            case "read":
                await one.receipts.mark_read(caller, "a", number=number, message_id=None)
            case "unread":
                await one.receipts.mark_unread(caller, "a", number=number, message_id=None)
            case "delivered":
                await one.receipts.mark_delivered(caller, "a", number=number, message_id=None)
            case "all":
                await one.receipts.read_all(caller, type=None)
            case "send":
                await two.teller.round()  # who went back is told of at once, before what it sends
                apply()
                numbers.append((await app.send("a", user))[2])
                apply()
                state[user] = [max(*state[user], numbers[-1])] * 2  # as `message.created` tells
        if chance.random() < 0.3:
            await two.teller.round()
            apply()
        if step % 10 == 9:
            rows = await pool.fetch("select * from chat.commits where $1 = any(apps) and xid > $2", app.id, since)
            since = max((row["xid"] for row in rows), default=since)
            for row in rows:
                heads = zip(row["apps"], row["logs"], row["seqs"], strict=True)
                await two.teller.follow([(LogKey(app_id, log), seq) for app_id, log, seq in heads])
            two.world.clock.advance(timedelta(seconds=PATIENCE))
            await two.teller.round()
            apply()
            page = await two.receipts.receipts(app.server, "a", limit=10, cursor=None)
            fresh = {each["user_id"]: [each["read_number"], each["delivered_number"]] for each in page["receipts"]}
            assert state == fresh, (seed, step)
