"""The examples in the reference are what a real client sees: recorded here, and compared in shape at every run.

`NATTER_TEST_RECORD=1` writes them anew; then `make reference`.
"""

import os
from typing import Any

import orjson

from data_plane.features import CALLS, EVENTS
from ops.reference.asyncapi import EXAMPLES
from tests.clients.conftest import Connect
from tests.clients.driver import Client
from tests.clients.installation import Tenant


def shape(value: Any) -> Any:
    """Keys and kinds, without the values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


async def converse(connect: Connect, tenant: Tenant) -> dict[str, Any]:
    """Let everything happen once that the reference tells of."""
    await tenant.post("/v1/users", users=[{"id": "alice", "name": "Alice"}, {"id": "bob"}, {"id": "carol"}])
    alice, carol = await connect("javascript-default", "alice"), await connect("javascript-websocket", "carol", node=1)
    ready = await alice.event("connection.ready")
    await carol.event("connection.ready")
    acks: dict[str, Any] = {}
    calls: dict[str, Any] = {}

    async def ask(client: Client, event: str, **payload: Any) -> Any:
        calls[event] = payload
        acks[event] = await client.call(event, **payload)
        return acks[event]

    await tenant.post("/v1/channels", id="general", name="General", members=["alice", "bob"], user_id="bob")
    await tenant.post("/v1/channels", id="show", type="livestream", members=["bob"])
    await alice.event("membership.added")
    message = (await ask(alice, "message.send", channel_id="general", text="Helo"))["message"]
    await ask(alice, "message.update", id=message["id"], text="Hello")
    before = await tenant.post("/v1/channels/general/messages", text="How are you?", user_id="bob")
    await ask(alice, "membership.arrange", channel_id="general", pinned=True)
    await alice.event("membership.arranged")
    await ask(alice, "receipt.read", channel_id="general")
    reply = {"thread_id": message["id"], "also_in_channel": True, "quoted_id": message["id"]}
    await alice.call("message.send", channel_id="general", text="Better", **reply)
    await tenant.post("/v1/channels/general/messages", text="Yes", user_id="bob", thread_id=message["id"])
    await ask(alice, "thread.read", message_id=message["id"])
    await ask(alice, "reaction.add", message_id=message["id"], emoji="👍")
    await ask(alice, "reaction.remove", message_id=message["id"], emoji="👍")
    await ask(alice, "receipt.delivered", channel_id="general")
    await ask(alice, "unread.mark", channel_id="general", number=2)
    await ask(alice, "receipt.read_all")
    await ask(alice, "message.delete", id=message["id"], hard=False)
    await ask(alice, "message.restore", id=message["id"])
    await ask(alice, "message.hide", id=before["message"]["id"])
    await alice.event("message.hidden")
    acks["error"] = await alice.call("message.send", channel_id="nowhere", text="Hello?")
    await ask(carol, "channel.watch", channel_id="show")
    await ask(carol, "channel.unwatch", channel_id="show")
    await carol.call("channel.watch", channel_id="show")
    await tenant.put("/v1/channel-types/livestream", grants={"user": []})
    await carol.event("watch.ended")
    await alice.event("grants.updated")
    await ask(alice, "auth.refresh", token=tenant.token("alice"))
    page = await ask(alice, "sync", cursor=ready["cursor"])
    acks["sync"] = {**page, "events": page["events"][:1]}
    assert (await tenant.http.patch("/v1/users/alice", json={"name": "Alice A."})).is_success
    own = {"authorization": f"Bearer {tenant.token('alice')}"}
    # Not carol: a node that looked in between would keep what passes from her for a second.
    for method in ("PUT", "DELETE"):
        assert (await tenant.http.request(method, "/v1/users/me/blocks/bob", headers=own)).is_success
    await tenant.post("/v1/channels/general/members", user_ids=["carol"], history="joined")
    await carol.event("member.added")
    changed = await tenant.http.patch(f"/v1/messages/{before['message']['id']}", json={"text": "How are you all?"})
    assert changed.is_success
    await carol.event("event.skipped")
    await tenant.put("/v1/channels/general/members/carol", role="moderator")
    await alice.event("member.updated")
    await carol.event("membership.updated")
    await carol.call("channel.watch", channel_id="general")
    await ask(alice, "typing.start", channel_id="general")
    await carol.event("typing.started")
    await ask(alice, "typing.stop", channel_id="general")
    await carol.event("typing.stopped")
    await ask(alice, "event.send", channel_id="general", type="poll.opened", data={"question": "Lunch?"})
    await carol.event("event.sent")
    assert (await tenant.http.patch("/v1/users/alice", json={"name": "Alice B."})).is_success
    await carol.event("profile.changed")
    await ask(alice, "presence.set", status="away", text="Lunch", text_expires_at="2030-01-01T12:00:00Z")
    await carol.event("presence.changed")
    await carol.event("watchers.changed")
    asked = await tenant.post("/v1/channels/general/messages", text="Who reads this?", user_id="bob")
    pinned = asked["message"]["id"]
    await ask(carol, "message.pin", message_id=pinned, expires_at="2126-01-01T00:00:00Z")
    await ask(carol, "message.unpin", message_id=pinned)
    await carol.event("message.unpinned")
    await alice.call("receipt.delivered", channel_id="general")
    await carol.event("receipts.delivered")
    await alice.call("receipt.read", channel_id="general")
    await carol.event("receipts.read")
    await tenant.put("/v1/users/alice/privacy", delivery_receipts=False)
    await alice.event("privacy.changed")
    await ask(carol, "presence.subscribe", user_ids=["bob"])
    await ask(carol, "presence.unsubscribe", user_ids=["bob"])
    crowd = [f"fan{number}" for number in range(100)]
    await tenant.post("/v1/users", users=[{"id": fan} for fan in crowd])
    await tenant.post("/v1/channels", id="crowd", members=crowd)
    await tenant.post("/v1/channels/crowd/members", user_ids=["alice", "carol"])
    await carol.call("channel.watch", channel_id="crowd")
    await carol.event("presence.counted")
    await alice.call("typing.start", channel_id="crowd")
    await carol.event("typing.counted")
    await tenant.post("/v1/channels", id="club")
    await tenant.post("/v1/channels/club/invites", user_ids=["alice"])
    await alice.event("invite.changed")
    await tenant.post("/v1/channels/crowd/truncate", before=1_000)
    await alice.event("channel.truncated")
    assert (await tenant.http.delete("/v1/channels/general/members/carol")).is_success
    await carol.event("membership.removed")
    assert (await tenant.http.patch("/v1/channels/general", json={"name": "Everybody"})).is_success
    await alice.event("sync.cursor")
    assert (await tenant.http.delete("/v1/channels/general")).is_success
    await alice.event("channel.deleted")
    await carol.send_binary("message.send")
    await carol.event("connection.closing")
    stranger = await connect("javascript-default", token="garbage")
    refusal = (await stranger.signal("connect_error"))["data"]

    events: dict[str, Any] = {}
    for name, payload in [*carol.events, *alice.events]:
        events[name] = payload
    return {"connect_error": refusal, "events": events, "calls": calls, "acks": acks}


async def test_the_references_examples_are_what_clients_see(connect: Connect, tenant: Tenant) -> None:
    said = await converse(connect, tenant)
    assert set(said["events"]) == {event.name for event in EVENTS}
    assert set(said["acks"]) == {call.name for call in CALLS} | {"error"}
    if os.environ.get("NATTER_TEST_RECORD"):
        EXAMPLES.write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n")
    recorded = orjson.loads(EXAMPLES.read_bytes())
    for part in ("connect_error", "events", "calls", "acks"):
        assert shape(said[part]) == shape(recorded[part])
