"""Pins: who hears of them, when they end, and what becomes of those of messages that go."""

from datetime import timedelta

import msgspec
import pytest

from data_plane.pins import service
from data_plane.pins.socket import socket_routes
from kernel.clock import rfc3339


@pytest.fixture
async def den(app):
    """A channel of ann (owner) and bob, with three messages of bob's: their ids."""
    await app.make_users("ann", "bob", "eve")
    await app.make_channel("den", "bob", owner="ann")
    return [(await app.send("den", "bob", text))[0] for text in ("one", "two", "three")]


def pin(app, message, user="ann", **body):
    return app.call("PUT", f"/v1/messages/{message}/pin", body, as_user=user)


def unpin(app, message, user="ann"):
    return app.call("DELETE", f"/v1/messages/{message}/pin", as_user=user)


async def pinned(app, user="bob", channel="den"):
    """The texts, the latest pin first."""
    answer = await app.call("GET", f"/v1/channels/{channel}/pins", as_user=user)
    assert answer.status_code == 200, answer.text
    return [each["message"]["text"] for each in answer.json()["pins"]]


async def rows(app):
    return await app.fetch("select seq from chat.pins where app_id = $1 order by seq")


async def test_a_pin_is_told_once_and_listed_with_its_message(app, world, den):
    first = await pin(app, den[0])
    again = await pin(app, den[0])
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    world.clock.advance(timedelta(seconds=1))
    await pin(app, den[2], None, user_id="bob")
    await app.call("PUT", f"/v1/messages/{den[0]}/reactions/ok", as_user="bob")
    listed = (await app.call("GET", "/v1/channels/den/pins", as_user="bob")).json()["pins"]
    assert [(each["message"]["text"], each["pinned_by"]) for each in listed] == [("three", "bob"), ("one", "ann")]
    one = (await app.call("GET", f"/v1/messages/{den[0]}", as_user="bob")).json()["message"]
    assert listed[1] == first.json()["pin"] | {"message": one}
    assert one["own_reactions"] == ["ok"]
    for _ in range(2):
        assert (await unpin(app, den[0])).status_code == 204
    entries = [entry for entry in await app.log("c:den") if "pinned" in entry["type"]]
    assert [(entry["type"], entry["actor"]) for entry in entries] == [
        ("message.pinned", "ann"),
        ("message.pinned", "bob"),
        ("message.unpinned", "ann"),
    ]
    assert entries[0]["data"] == first.json()["pin"]
    assert entries[2]["data"] == {"message_id": den[0], "message_seq": listed[1]["message_seq"]}
    assert await pinned(app) == ["three"]


async def test_a_pin_ends_by_the_clock_and_leaves_its_place(app, world, den, monkeypatch):
    now = world.clock.now()
    assert (await pin(app, den[0], expires_at=rfc3339(now))).json()["field"] == "expires_at"
    soon = rfc3339(now + timedelta(minutes=1))
    assert (await pin(app, den[0], expires_at=soon)).json()["pin"]["expires_at"] == soon
    await pin(app, den[1])
    monkeypatch.setattr(service, "MAX_PINNED", 2)
    refused = await pin(app, den[2])
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_pinned")
    assert (await pin(app, den[1], expires_at=soon)).status_code == 201, "another end takes no place"
    await pin(app, den[1])
    world.clock.advance(timedelta(seconds=59))
    assert await pinned(app) == ["two", "one"]
    world.clock.advance(timedelta(seconds=1))
    assert await pinned(app) == ["two"]
    told = await app.types("c:den")
    assert (await unpin(app, den[0])).status_code == 204
    assert await app.types("c:den") == told, "what has expired is told to nobody"
    await pin(app, den[2])
    assert await pinned(app) == ["three", "two"]
    assert len(await rows(app)) == 2
    # The same message again, after its pin ended: a new pin.
    await unpin(app, den[2])
    assert (await pin(app, den[0])).status_code == 201


async def test_messages_that_go_lose_their_pins(app, den):
    for message in den:
        await pin(app, message)
    await app.call("DELETE", f"/v1/messages/{den[1]}", as_user="bob")
    assert await pinned(app) == ["three", "one"]
    assert len(await rows(app)) == 2
    assert (await pin(app, den[1])).json()["code"] == "message_deleted"
    seq = (await app.call("GET", f"/v1/messages/{den[2]}")).json()["message"]["seq"]
    await app.call("POST", "/v1/channels/den/truncate", {"before": seq}, as_user="ann")
    assert await pinned(app) == ["three"]
    await pin(app, den[2], expires_at="2126-01-01T00:00:00Z")
    assert [row["seq"] for row in await rows(app)] == [seq], "the next pin clears the rows of what was truncated"
    pool = await app.world.shard.system.pool()
    await app.call("DELETE", "/v1/channels/den", as_user="ann")
    await pool.fetchval("select chat.wipe_channel($1, 'den', 0, 1000, $2)", app.id, app.world.clock.now())
    assert await rows(app) == []


async def test_a_message_that_comes_back_is_pinned_no_more_and_one_that_is_purged_never_again(app, den):
    await pin(app, den[0])
    await pin(app, den[1])
    for message, how in ((den[0], ""), (den[1], "?hard=true")):
        assert (await app.call("DELETE", f"/v1/messages/{message}{how}")).is_success
    assert (await app.call("POST", f"/v1/messages/{den[0]}/restore")).is_success
    assert (await pinned(app), await rows(app)) == ([], [])
    await pin(app, den[0])
    assert await pinned(app) == ["one"]
    assert (await pin(app, den[1])).json()["code"] == "message_deleted"


async def test_everybody_sees_the_pins_of_the_messages_that_it_sees(app, den):
    await pin(app, den[0])
    await app.call("PATCH", "/v1/channels/den", {"history": "joined"}, as_user="ann")
    await app.call("POST", "/v1/channels/den/members", {"user_ids": ["eve"]}, as_user="ann")
    later, _, _ = await app.send("den", "bob", "later")
    await pin(app, later)
    assert sorted(await pinned(app, "eve")) == ["later"]
    assert sorted(await pinned(app, None)) == sorted(await pinned(app, "bob")) == ["later", "one"]
    for message in (den[0], later):
        assert (await app.call("POST", f"/v1/messages/{message}/hide", as_user="bob")).is_success
    assert await pinned(app, "bob") == []
    assert sorted(await pinned(app, "ann")) == ["later", "one"]
    await app.make_users("zoe")
    assert (await app.call("GET", "/v1/channels/den/pins", as_user="zoe")).status_code == 404


async def test_members_pin_in_a_direct_channel_and_those_who_run_it_elsewhere(app, den):
    refused = await pin(app, den[0], "bob")
    assert (refused.status_code, refused.json()["permission"]) == (403, "message.pin")
    assert (await unpin(app, den[0], "bob")).status_code == 403
    assert (await pin(app, den[0], "eve")).status_code == 404
    await app.make_channel("pair", "bob", owner="ann", type="direct")
    message, _, _ = await app.send("pair", "ann")
    assert (await pin(app, message, "bob")).status_code == 201
    await app.call("PATCH", "/v1/channels/den", {"frozen": True}, as_user="ann")
    assert (await pin(app, den[0])).json()["code"] == "channel_frozen"
    assert (await unpin(app, den[0])).status_code == 204
    await app.call("PUT", "/v1/users/me/blocks/bob", as_user="ann")
    assert (await pin(app, message, "bob", expires_at="2126-01-01T00:00:00Z")).json()["code"] == "blocked"


async def test_packets_do_the_same(app, world, den):
    routes = {route.event: route for route in socket_routes(world.shard)}

    async def emit(event, user, **payload):
        route = routes[event]
        return await route.handle(app.user(user), msgspec.convert(payload, route.payload))

    made = await emit("message.pin", "ann", message_id=den[0], expires_at="2126-01-01T00:00:00Z")
    assert made["pin"]["expires_at"] == "2126-01-01T00:00:00.000Z"
    assert await pinned(app) == ["one"]
    assert await emit("message.unpin", "ann", message_id=den[0]) == {}
    assert await pinned(app) == []
