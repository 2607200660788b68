"""Channels of many members: nothing is off, what is a number says so, and what it costs does not grow with who asks."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from data_plane.log import LogKey
from data_plane.presence import audience
from data_plane.presence.crowds import BEAT
from data_plane.receipts import teller
from data_plane.receipts.crowd import COUNT_PERIOD, ReceiptCrowd
from data_plane.receipts.events import DELIVERED, READ
from data_plane.typing.socket import Typing, TypingPacket
from ops.bench.bulk import load_members
from tests.data_plane.presence.nodes import Nodes, Process
from tests.engines import TemporaryDatabase

MEMBERS = 3_000


@pytest.fixture
async def hall(nodes: Nodes, shard_database: TemporaryDatabase) -> Nodes:
    """A channel of three and three thousand."""
    app = nodes[0].app
    await app.make_channel("hall", "alice", "bob", "eve")
    await load_members(shard_database.superuser_url, app.id, channel="hall", prefix="m", count=MEMBERS)
    return nodes


async def read(node: Process, user: str, channel: str = "hall") -> None:
    await node.receipts.mark_read(node.app.user(user), channel, number=None, message_id=None)


async def tick(node: Process) -> None:
    """A second goes by."""
    node.world.clock.advance(timedelta(seconds=COUNT_PERIOD))
    await node.teller.round()
    await node.readers.round()
    await node.crowds.round()
    await node.crowds.round()
    node.typists.round()


def last(who: Any, name: str) -> Any:
    return who[1].events(name)[-1][1]["data"]


async def test_in_a_channel_of_thousands_everything_is_there_and_numbers_say_that_they_are(hall: Nodes) -> None:
    one, two = hall
    app, key = one.app, LogKey(one.app.id, "c:hall")
    said = await app.call(
        "POST", "/v1/channels/hall/messages", {"text": "Hello", "mentions": {"channel": True}}, as_user="alice"
    )
    message = said.json()["message"]["id"]
    bob = await two.enter("bob", "hall")
    state = bob[1].acks()[1]
    assert state["channel"]["member_count"] == MEMBERS + 3
    assert state["presence"] == {"aggregated": True, "online_count": 1, "members": []}
    assert state["receipts"] == {
        "aggregated": True, "receipts": [], "number": 1, "read_by_count": 0, "delivered_to_count": 0,
    }  # fmt: skip
    assert state["watchers"] == {
        "count": 1, "aggregated": False, "user_ids": ["bob"], "anonymous": 0,
    }, "who watches are few"  # fmt: skip

    await asyncio.gather(*(read(one, f"m{n}") for n in range(250)))
    alice = await one.enter("alice")
    # Nobody was on that process to hear that somebody counts; it is asked again with every beat.
    two.world.clock.advance(timedelta(seconds=BEAT))
    await two.crowds.round()
    await one.crowds.round()
    Typing(one.shard, one.hub, one.publish).start(alice[0].connection, TypingPacket(channel_id="hall"))
    await tick(two)
    for name in (READ, DELIVERED):
        assert last(bob, name) == {"aggregated": True, "positions": [], "number": 1, "count": 250}
    assert last(bob, "presence.counted") == {"aggregated": True, "online_count": 2}
    assert last(bob, "typing.counted") == {"aggregated": True, "count": 1, "thread_id": None}
    by_name = {name for name, _ in bob[1].events()} & {"presence.changed", "typing.started"}
    assert by_name == set(), "nobody is told of by name"

    receipts = (await app.call("GET", f"/v1/messages/{message}/receipts", as_user="bob")).json()
    assert (receipts["aggregated"], receipts["read_by_count"], receipts["user_ids"]) == (True, 250, [])
    page = (await app.call("GET", "/v1/channels/hall/receipts", params={"limit": 100}, as_user="bob")).json()
    assert (len(page["receipts"]), page["next_cursor"] is None) == (100, False), "one by one, for who wants them"
    for user, unread in (("m0", 0), (f"m{MEMBERS - 1}", 1)):
        told = (await app.call("GET", "/v1/unread", as_user=user)).json()
        assert (told["total"], told["mentions"]) == (unread, unread)

    assert two.audience.channels[key].members is None, "no node holds all members"
    assert (two.teller._of(key).versions, two.teller._of(key).read) == ({}, {}), "nor where each of them is"


async def test_however_many_ask_at_once_there_is_one_count_and_another_for_who_asked_meanwhile(hall: Nodes) -> None:
    one, two = hall
    _, _, number = await one.app.send("hall", "alice")
    key = LogKey(one.app.id, "c:hall")
    first = asyncio.create_task(two.counting.of(key, number, "alice"))
    while not two.counting.made:
        await asyncio.sleep(0)
    await read(one, "m1")
    answers = await asyncio.gather(*(two.counting.of(key, number, "alice") for _ in range(50)))
    assert {counts.read_by for counts in answers} == {1}, "it sees what was written before it was asked for"
    assert (await first).read_by in (0, 1)
    assert two.counting.made == 2


async def test_all_who_come_back_at_once_to_a_large_channel_do_not_have_it_counted_for_each(hall: Nodes) -> None:
    one, two = hall
    await one.app.send("hall", "alice")
    await read(one, "m40")
    come = await asyncio.gather(*(two.enter(f"m{n}", "hall") for n in range(30)))
    assert two.counting.made <= 5, "two, where they come within one count; a machine that is busy spreads them"
    assert {who[1].acks()[1]["receipts"]["read_by_count"] for who in come} == {1}


def held(who: Any) -> tuple[int, int, int]:
    """What a client makes of its answer and of the events after it: message, read by, delivered to."""
    state = who[1].acks()[1]["receipts"]
    assert state["aggregated"]
    number, counts = state["number"], [state["read_by_count"], state["delivered_to_count"]]
    for name, event in who[1].events():
        if name in (READ, DELIVERED):
            data = event["data"]
            assert data["aggregated"]
            number, counts[name == DELIVERED] = data["number"], data["count"]
    return number, counts[0], counts[1]


async def recounted(node: Process) -> tuple[int, int, int]:
    """The same from the tables."""
    (row,) = await node.app.fetch(
        """
        select h.last_number as number, count(*) filter (where m.read_number >= h.last_number) as read,
               count(*) filter (where greatest(m.read_number, m.delivered_number) >= h.last_number) as delivered
        from chat.log_heads h
        join chat.messages n on n.app_id = $1 and n.channel_id = 'a' and n.number = h.last_number and not n.silent
        join chat.members m on m.app_id = $1 and m.channel_id = 'a' and m.user_id <> n.user_id
        where h.app_id = $1 and h.log = 'c:a' group by 1
        """
    )
    return row["number"], row["read"], row["delivered"]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_after_any_history_all_who_watch_know_what_a_recount_says(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await history(nodes, monkeypatch, seed)


@pytest.mark.parametrize("defect", ["nobody looks again", "nobody counts again"])
async def test_a_crowd_that_is_not_told_is_found(nodes: Nodes, monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
    if defect == "nobody looks again":

        async def join(self: ReceiptCrowd, key: LogKey) -> Any:
            known = self._channels.get(key)
            return known.counts if known is not None else (await self._count(key))[0]

        monkeypatch.setattr(ReceiptCrowd, "join", join)
    else:
        monkeypatch.setattr(ReceiptCrowd, "moved", lambda self, key: None)
    with pytest.raises(AssertionError):
        for seed in (1, 2, 3):
            await history(nodes, monkeypatch, seed)


async def history(nodes: Nodes, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Reads, marks, deliveries and sends on one process; on the other people come to watch, and go."""
    for module in (audience, teller):
        monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setattr("data_plane.presence.service.LARGE", 1)
    one, two = nodes
    chance, app = random.Random(seed), one.app
    assert (await app.call("PUT", "/v1/channels/a/members/eve")).is_success
    await app.send("a", "alice")
    watching = [await two.enter("eve", "a")]

    async def come() -> Any:
        who = await two.enter("bob", "a")
        await two.hub.settle()  # what was sent is no entry of the bus here, and is read from the log
        return who

    async def told() -> None:
        for _ in range(2):
            two.world.clock.advance(timedelta(seconds=COUNT_PERIOD))
            await two.readers.round()

    for step in range(60):
        caller, number = app.user(chance.choice(("alice", "bob", "eve"))), chance.randint(0, 9)
        match chance.choice(("read", "unread", "delivered", "send", "come", "go", "round", "second")):
            case "read":
                await one.receipts.mark_read(caller, "a", number=None, message_id=None)
            case "unread":
                await one.receipts.mark_unread(caller, "a", number=number, message_id=None)
            case "delivered":
                await one.receipts.mark_delivered(caller, "a", number=None, message_id=None)
            case "send":
                await app.send("a", caller.user_id or "")
            case "come":
                watching.append(await come())
            case "go" if len(watching) > 1:
                two.leave(watching.pop(chance.randrange(len(watching))))
            case "round":
                await two.readers.round()
            case "second":
                two.world.clock.advance(timedelta(seconds=chance.choice((0.3, COUNT_PERIOD))))
        if step % 20 == 19:
            await app.send("a", "alice")
            await read(one, "bob", "a")
            await told()
            assert {held(who) for who in watching} == {await recounted(one)}
    # One comes whose counts are made for it, and then, after something was said, one who gets the same.
    watching.append(await come())
    await app.send("a", "alice")
    watching.append(await come())
    await told()
    assert {held(who) for who in watching} == {await recounted(one)}
