"""The official clients chat: on two nodes, by each transport."""

import asyncio
from typing import Any

from tests.clients.conftest import Connect
from tests.clients.driver import Client
from tests.clients.installation import Tenant


def texts(client: Client) -> list[str]:
    return [payload["data"]["message"]["text"] for payload in client.received("message.created")]


def seqs(client: Client, channel_id: str) -> list[int]:
    return [p["seq"] for _, p in client.events if isinstance(p, dict) and p.get("channel_id") == channel_id]


async def pair(connect: Connect, kind: str) -> tuple[Client, Client]:
    """Alice on the first node and bob on the second."""
    alice, bob = await connect(kind, "alice", node=0), await connect(kind, "bob", node=1)
    await alice.event("connection.ready")
    await bob.event("connection.ready")
    return alice, bob


async def test_connecting_tells_who_one_is_and_until_when(kind: str, connect: Connect, tenant: Tenant) -> None:
    await tenant.post("/v1/users", users=[{"id": "alice", "name": "Alice"}])
    alice = await connect(kind)
    ready = await alice.event("connection.ready")
    assert ready["user"]["id"] == "alice"
    assert ready["user"]["name"] == "Alice"
    assert ready["recovered"] is None
    assert ready["connection_id"].startswith("con_")
    assert ready["cursor"]
    assert ready["expires_at"].endswith("Z")
    names = [s.get("event", s["on"]) for s in alice.signals if s["on"] in ("connect", "event")]
    assert names[:2] == ["connect", "connection.ready"]


async def test_two_clients_on_two_nodes_exchange_messages_both_ways(
    kind: str, connect: Connect, tenant: Tenant
) -> None:
    await tenant.channel("general", "alice", "bob")
    alice, bob = await pair(connect, kind)

    first = await alice.send("general", "hello")
    assert first["user_id"] == "alice"
    assert (await bob.event("message.created"))["data"]["message"] == first
    second = await bob.send("general", "hello yourself")
    assert second["seq"] == first["seq"] + 1
    for client in (alice, bob):
        await client.event("message.created", 2)
        assert texts(client) == ["hello", "hello yourself"]


async def test_edits_and_deletes_arrive(kind: str, connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice", "bob")
    alice, bob = await pair(connect, kind)
    sent = await alice.send("general", "helo")

    edited = (await alice.call("message.update", id=sent["id"], text="hello"))["message"]
    assert edited["text"] == "hello"
    assert (await bob.event("message.updated"))["data"]["message"]["text"] == "hello"
    deleted = (await alice.call("message.delete", id=sent["id"]))["message"]
    assert deleted["deleted_at"]
    heard = (await bob.event("message.deleted"))["data"]["message"]
    assert (heard["id"], heard["text"]) == (sent["id"], "")


async def test_the_same_message_id_again_is_answered_with_the_original(
    kind: str, connect: Connect, tenant: Tenant
) -> None:
    await tenant.channel("general", "alice", "bob")
    alice, bob = await pair(connect, kind)
    id = "0198c0de-0000-7000-8000-000000000001"
    first = await alice.send("general", "once", id=id)
    assert await alice.send("general", "once", id=id) == first
    conflict = await alice.call("message.send", channel_id="general", text="other", id=id)
    assert conflict["error"]["code"] == "message_id_taken"
    await bob.send("general", "end")
    await bob.event("message.created", 2)
    assert texts(bob) == ["once", "end"]


async def test_a_mistake_is_answered_and_the_connection_goes_on(kind: str, connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice")
    alice = await connect(kind)
    await alice.event("connection.ready")
    assert (await alice.call("message.sned"))["error"]["code"] == "unknown_event"
    typo = (await alice.call("message.send", channel_id="general", txet="hi"))["error"]
    assert typo["code"] == "invalid_input"
    assert "txet" in typo["message"]
    elsewhere = await alice.call("message.send", channel_id="nowhere", text="hi")
    assert elsewhere["error"]["code"] == "not_found"
    assert await alice.send("general", "still here")
    assert not alice.seen("disconnect")


async def test_300_quick_sends_are_all_stored_once_and_heard_in_order(
    kind: str, connect: Connect, tenant: Tenant
) -> None:
    await tenant.channel("general", "alice", "bob")
    alice, bob = await pair(connect, kind)
    waiting: list[dict[str, Any]] = [
        {"id": f"0198c0de-0000-7000-8000-{n:012x}", "channel_id": "general", "text": f"m{n}"} for n in range(300)
    ]
    # A client may have a hundred unanswered; the rest is told to come again, which the id makes safe.
    for _ in range(10):
        acks = await alice.burst("message.send", waiting)
        refused = [ack["error"] for ack in acks if "error" in ack]
        assert all(error["code"] == "too_many_in_flight" and error["retryable"] for error in refused), refused[:3]
        waiting = [payload for payload, ack in zip(waiting, acks, strict=True) if "error" in ack]
        if not waiting:
            break
        await asyncio.sleep(0.2)
    assert not waiting
    for client in (alice, bob):
        await client.event("message.created", 300)
        await asyncio.sleep(0.1)
        heard = seqs(client, "general")
        assert heard == list(range(heard[0], heard[0] + 300))
        assert sorted(texts(client)) == sorted(f"m{n}" for n in range(300))
        assert len(client.seen("connect")) == 1
