"""One message id, many sends: one message. And many messages of one sender, in the order it sent them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from kernel.ids import Ids
from ops.chaos.client import Socket
from ops.chaos.history import Connection, Entry
from ops.chaos.installation import Installation
from ops.chaos.rest import Rest
from ops.chaos.world import Size, World, world

TIMES = 1_000
BATCH = 50
"""Ids in flight at once, twice each."""
seeds = count(10**6)


@pytest.fixture
async def here(whole: Installation) -> AsyncIterator[World]:
    async with world(whole, next(seeds), Size(users=2, rooms=4, rooms_of_user=4)) as made:
        yield made


@asynccontextmanager
async def connection(here: World, node: str) -> AsyncIterator[Socket]:
    """A second connection of a user, to this node."""
    person = here.people[0]
    record = Connection(f"extra@{node}", person.tenant.name, person.id, node, 0.0, None)
    socket = await Socket.open(
        here.installation.node_urls[node],
        person.token,
        None,
        record=lambda ready: record,
        on_entry=lambda entry: None,
        on_cursor=lambda cursor: None,
    )
    yield socket
    await socket.close()


async def stored(here: World, room: str) -> list[dict[str, Any]]:
    """The whole history of a room, by seq."""
    messages: list[dict[str, Any]] = []
    while True:
        params = {"after": str(messages[-1]["seq"]) if messages else "0", "limit": 100}
        answer = await here.rest.call(
            "GET", f"/v1/channels/{room}/messages", here.people[0].tenant.secret_key, params=params
        )
        page = answer.expect(200)
        messages += page["messages"]
        if not page["has_after"]:
            return messages


def heard(socket: Socket, room: str) -> list[Entry]:
    assert socket.record is not None
    return [entry for entry in socket.record.heard if entry.log == f"c:{room}"]


def consecutive(seqs: list[int]) -> bool:
    return seqs == list(range(seqs[0], seqs[0] + len(seqs)))


@pytest.mark.scenario
async def test_the_same_id_sent_at_once_to_two_nodes_is_one_message_for_both(here: World):
    ids, rooms = Ids(), here.rooms()
    wanted: dict[str, str] = {}
    async with connection(here, "n1") as one, connection(here, "n2") as two:
        for batch in range(TIMES // BATCH):
            packets = [
                {"channel_id": rooms[n % len(rooms)], "id": ids.new("msg"), "text": f"{batch}/{n}"}
                for n in range(BATCH)
            ]
            wanted |= {packet["id"]: packet["channel_id"] for packet in packets}
            answers = await asyncio.gather(
                *(socket.call("message.send", packet) for packet in packets for socket in (one, two))
            )
            for first, second in zip(answers[::2], answers[1::2], strict=True):
                assert "message" in first, first
                assert first == second

        for room in rooms:
            messages = await stored(here, room)
            assert sorted(m["id"] for m in messages) == sorted(id for id, its in wanted.items() if its == room)
            assert consecutive([m["seq"] for m in messages])
            assert [m["number"] for m in messages] == list(range(1, len(messages) + 1))
            for socket in (one, two):
                while len(heard(socket, room)) < len(messages):
                    await asyncio.sleep(0.02)
                assert [e.seq for e in heard(socket, room)] == [m["seq"] for m in messages]


@pytest.mark.scenario
async def test_over_rest_the_first_send_is_created_and_its_twin_finds_it(here: World):
    person, ids = here.people[0], Ids()
    rest: Rest = here.rest
    for n in range(25):
        body = {"id": ids.new("msg"), "text": f"twin {n}"}
        path = "/v1/channels/room0/messages"
        first, second = await asyncio.gather(
            *(rest.call("POST", path, person.token, json=body, nodes=[node]) for node in ("n1", "n2"))
        )
        assert sorted((first.status, second.status)) == [200, 201]
        assert first.body == second.body
    messages = await stored(here, "room0")
    assert len(messages) == 25
    assert consecutive([m["seq"] for m in messages])


@pytest.mark.scenario
async def test_an_id_that_stands_for_something_else_is_a_conflict_whichever_node_is_asked(here: World):
    message = Ids().new("msg")
    async with connection(here, "n1") as one, connection(here, "n2") as two:
        first, second = await asyncio.gather(
            one.call("message.send", {"channel_id": "room0", "id": message, "text": "this"}),
            two.call("message.send", {"channel_id": "room0", "id": message, "text": "that"}),
        )
        refused = first if "error" in first else second
        assert refused["error"]["code"] == "message_id_taken"
        assert "message" in (second if refused is first else first)
    assert len(await stored(here, "room0")) == 1


@pytest.mark.scenario
async def test_a_sender_that_does_not_wait_is_kept_in_its_order(here: World):
    async with connection(here, "n1") as one, connection(here, "n2") as two:
        for batch in range(10):
            sends = [
                socket.call("message.send", {"channel_id": "room0", "text": f"{name} {batch * 50 + n}"})
                for n in range(50)
                for name, socket in (("one", one), ("two", two))
            ]
            answers = await asyncio.gather(*sends)
            assert all("message" in answer for answer in answers)
    messages = await stored(here, "room0")
    for name in ("one", "two"):
        mine = [m["text"] for m in messages if m["text"].startswith(name)]
        assert mine == [f"{name} {n}" for n in range(500)]
    assert consecutive([m["seq"] for m in messages])
