"""After a broken line, nothing is missing and nothing is said twice."""

import asyncio

from data_plane.sync.cursor import Cursor
from tests.clients.conftest import Connect, NewLine, each
from tests.clients.installation import Installation, Tenant
from tests.clients.test_chat import seqs, texts


async def test_a_resume_replays_exactly_what_was_missed(
    connect: Connect, tenant: Tenant, new_line: NewLine, installation: Installation
) -> None:
    async def scenario(kind: str) -> None:
        user, channels = kind, (f"{kind}-1", f"{kind}-2")
        for channel_id in channels:
            await tenant.channel(channel_id, user, "bob")
        line = await new_line()
        client = await connect(kind, user, url=line.url, resume=True)
        await client.event("connection.ready")
        await asyncio.sleep(0.5)  # an upgrade may be under way
        before = len(client.events)

        line.cut()
        await client.signal("disconnect")
        for n in range(40):
            await tenant.post(f"/v1/channels/{channels[n % 2]}/messages", text=f"missed {n}", user_id="bob")
        line.mend(installation.nodes[1].port)  # and another node takes over

        assert (await client.event("connection.ready", 2))["recovered"] is True
        await tenant.post(f"/v1/channels/{channels[0]}/messages", text="live", user_id="bob")
        await client.until(lambda: "live" in texts(client), "the live message")
        names = [name for name, _ in client.events[before + 1 :]]
        assert names == [*["message.created"] * 40, "sync.cursor", "message.created"]
        assert texts(client) == [f"missed {n}" for n in range(40)] + ["live"]
        for channel_id, count in zip(channels, (21, 20), strict=True):
            heard = seqs(client, channel_id)
            assert heard == list(range(heard[0], heard[0] + count))

    await each(scenario)


async def test_many_cuts_under_traffic_lose_nothing(
    connect: Connect, tenant: Tenant, new_line: NewLine, installation: Installation
) -> None:
    await tenant.channel("general", "alice", "bob")
    writing, sent = True, 0

    async def write() -> None:
        nonlocal sent
        while writing:
            await tenant.post("/v1/channels/general/messages", text=f"m{sent}", user_id="bob")
            sent += 1
            await asyncio.sleep(0.01)

    async def scenario(kind: str) -> None:
        line = await new_line()
        client = clients[kind] = await connect(kind, url=line.url, resume=True)
        await client.event("connection.ready")
        for round in range(3):
            await asyncio.sleep(0.4)
            line.cut()
            await client.signal("disconnect", round + 1)
            line.mend(installation.nodes[(round + 1) % 2].port)
            await client.event("connection.ready", round + 2)
        await asyncio.sleep(0.3)

    clients = {}
    cursor = await tenant.http.get("/v1/sync", params={"user_id": "alice"})
    first_seq = cursor.json()["channels"][0]["seq"] + 1
    writer = asyncio.create_task(write())
    try:
        await each(scenario)
    finally:
        writing = False
        await writer

    for kind, client in clients.items():
        await client.until(lambda client=client: f"m{sent - 1}" in texts(client), "the last message")
        # A resume may repeat: the rule for clients is to drop what is not above the last applied.
        applied: dict[int, str] = {}
        for payload in client.received("message.created"):
            if payload["seq"] > max(applied, default=0):
                assert not applied or payload["seq"] == max(applied) + 1, kind
                applied[payload["seq"]] = payload["data"]["message"]["text"]
        assert list(applied.values()) == [f"m{seq - first_seq}" for seq in applied], kind


async def test_a_cursor_of_another_installation_brings_fresh_state(connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice", "bob")

    async def scenario(kind: str) -> None:
        client = await connect(kind, cursor=Cursor("s9", "elsewhere", 1).encode())
        ready = await client.event("connection.ready")
        assert ready["recovered"] is False
        assert [channel["id"] for channel in ready["channels"]] == ["general"]

    await each(scenario)


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
