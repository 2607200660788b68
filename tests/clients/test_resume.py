"""After a broken line, nothing is missing and nothing is said twice."""

import asyncio

from tests.clients.conftest import Connect
from tests.clients.installation import Installation, Tenant
from tests.clients.line import Line
from tests.clients.test_chat import seqs, texts


async def test_a_resume_replays_exactly_what_was_missed(
    kind: str, connect: Connect, tenant: Tenant, line: Line, installation: Installation
) -> None:
    await tenant.channel("general", "alice", "bob")
    await tenant.channel("other", "alice", "bob")
    alice = await connect(kind, url=line.url, resume=True)
    await alice.event("connection.ready")
    await asyncio.sleep(0.5)  # an upgrade may be under way
    before = len(alice.events)

    line.cut()
    await alice.signal("disconnect")
    for n in range(40):
        await tenant.post(f"/v1/channels/{('general', 'other')[n % 2]}/messages", text=f"missed {n}", user_id="bob")
    line.mend(installation.nodes[1].port)  # and another node takes over

    ready = await alice.event("connection.ready", 2)
    assert ready["recovered"] is True
    await tenant.post("/v1/channels/general/messages", text="live", user_id="bob")
    await alice.until(lambda: "live" in texts(alice), "the live message")
    replayed = alice.events[before + 1 :]
    assert [name for name, _ in replayed] == ["message.created"] * 41
    assert texts(alice) == [f"missed {n}" for n in range(40)] + ["live"]
    for channel_id, count in (("general", 21), ("other", 20)):
        heard = seqs(alice, channel_id)
        assert heard == list(range(heard[0], heard[0] + count))


async def test_many_cuts_under_traffic_lose_nothing(
    kind: str, connect: Connect, tenant: Tenant, line: Line, installation: Installation
) -> None:
    await tenant.channel("general", "alice", "bob")
    alice = await connect(kind, url=line.url, resume=True)
    await alice.event("connection.ready")
    writing = True

    async def write() -> int:
        sent = 0
        while writing:
            await tenant.post("/v1/channels/general/messages", text=f"m{sent}", user_id="bob")
            sent += 1
            await asyncio.sleep(0.01)
        return sent

    writer = asyncio.create_task(write())
    for round in range(3):
        await asyncio.sleep(0.4)
        line.cut()
        await alice.signal("disconnect", round + 1)
        line.mend(installation.nodes[(round + 1) % 2].port)
        await alice.event("connection.ready", round + 2)
    await asyncio.sleep(0.3)
    writing = False
    sent = await writer
    await alice.until(lambda: f"m{sent - 1}" in texts(alice), "the last message")

    # A resume may repeat: the rule for clients is to drop what is not above the last applied.
    applied: list[str] = []
    last = 0
    for payload in alice.received("message.created"):
        if payload["seq"] > last:
            assert not last or payload["seq"] == last + 1
            last = payload["seq"]
            applied.append(payload["data"]["message"]["text"])
    assert applied == [f"m{n}" for n in range(sent)]


async def test_a_cursor_of_another_installation_brings_fresh_state(
    kind: str, connect: Connect, tenant: Tenant
) -> None:
    await tenant.channel("general", "alice", "bob")
    from data_plane.sync.cursor import Cursor

    alice = await connect(kind, cursor=Cursor("s9", "elsewhere", 1).encode())
    ready = await alice.event("connection.ready")
    assert ready["recovered"] is False
    assert [channel["id"] for channel in ready["channels"]] == ["general"]


async def test_a_forged_cursor_is_refused_by_name(kind: str, connect: Connect) -> None:
    client = await connect(kind, cursor="no cursor of ours")
    assert (await client.signal("connect_error"))["data"]["code"] == "bad_cursor"


async def test_a_listener_gets_a_fresh_cursor_from_time_to_time(connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice", "bob")
    alice = await connect("javascript-default")
    ready = await alice.event("connection.ready")
    await tenant.post("/v1/channels/general/messages", text="hello", user_id="bob")
    cursor = (await alice.event("sync.cursor"))["cursor"]
    assert cursor != ready["cursor"]
    assert (await alice.call("sync", cursor=cursor))["events"] == []
    missed = await alice.call("sync", cursor=ready["cursor"])
    assert [event["type"] for event in missed["events"]] == ["message.created"]
