"""An app's own events: heard by those who watch or by the user's connections, kept nowhere, in bounds."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from data_plane.custom_events.service import CustomEvents
from data_plane.grants.errors import PermissionMissing
from data_plane.limits.limiter import Limiter
from kernel.contracts import RateLimit
from kernel.errors import Forbidden, InvalidInput, NotFound
from tests.data_plane.conftest import App
from tests.data_plane.gateway.test_gateway import House, Line, until


@pytest.fixture
async def house(app: App) -> House:
    await app.make_users("alice", "bob", "eve")
    await app.make_channel("a", "alice", "bob")
    return House(app)


def events_of(house: House) -> CustomEvents:
    limiter = Limiter(cast(Any, None), house.world.clock, CollectorRegistry())
    limiter.away = True  # without Redis each node counts for itself
    return CustomEvents(house.shard, limiter, house.hub, house.hub.deliver)


async def watch(house: House, user: str, channel: str = "a") -> Line:
    wire, line = await house.connect(user)
    house.packet(wire, "channel.watch", {"channel_id": channel})
    await until(lambda: 1 in line.acks())
    return line


async def test_those_who_watch_hear_it_but_for_its_sender_and_whom_it_is_hidden_from(house: House) -> None:
    app = house.app
    await app.call("POST", "/v1/channels/a/members", {"user_ids": ["eve"]})
    assert (await app.call("PUT", "/v1/users/me/blocks/alice", as_user="eve")).is_success
    hers, his, blocking = [await watch(house, user) for user in ("alice", "bob", "eve")]
    _, not_watching = await house.connect("bob")
    events = events_of(house)
    before = await app.types("c:a")
    await events.to_channel(app.user("alice"), "a", type="poll.opened", data={"n": 1})
    await events.to_channel(app.server, "a", type="poll.closed", data={})
    await events.to_channel(app.server, "a", type="poll.seen", data={}, user_id="bob")
    heard = [
        (event["actor"], event["seq"], event["channel_id"], event["data"]) for _, event in his.events("event.sent")
    ]
    assert heard == [
        ("alice", None, "a", {"type": "poll.opened", "data": {"n": 1}, "user_id": "alice"}),
        (None, None, "a", {"type": "poll.closed", "data": {}, "user_id": None}),
    ]
    for line, types in ((hers, ["poll.closed", "poll.seen"]), (blocking, ["poll.closed", "poll.seen"])):
        assert [event["data"]["type"] for _, event in line.events("event.sent")] == types
    assert not_watching.events("event.sent") == []
    assert await app.types("c:a") == before, "no log keeps it"
    assert await app.fetch("select 1 from chat.usage_outbox where app_id = $1 and meter = 'messages'") == []


async def test_a_server_reaches_every_connection_of_a_user_and_nobody_elses(house: House) -> None:
    watching = await watch(house, "bob")
    _, beside = await house.connect("bob")
    _, other = await house.connect("alice")
    events = events_of(house)
    await events.to_user(house.app.server, "bob", type="order.paid", data={"order": 42})
    for line in (watching, beside):
        ((_, event),) = line.events("event.sent")
        assert (event["channel_id"], event["actor"], event["data"]["data"]) == (None, None, {"order": 42})
    assert other.events("event.sent") == []
    with pytest.raises(NotFound):
        await events.to_user(house.app.server, "nobody", type="x", data={})
    with pytest.raises(Forbidden):
        await events.to_user(house.app.user("alice"), "bob", type="x", data={})


async def test_who_may_not_sends_nothing_and_too_much_is_too_much(house: House) -> None:
    app, events = house.app, events_of(house)
    his = await watch(house, "bob")
    with pytest.raises(NotFound):
        await events.to_channel(app.user("eve"), "a", type="x", data={})
    with pytest.raises(InvalidInput, match="data"):
        await events.to_channel(app.user("alice"), "a", type="x", data={"a": "x" * 5_000})
    few = (RateLimit(policy="custom.channel", per_second=1, burst=3),)
    app.snapshot = msgspec.structs.replace(app.snapshot, version=2, limits=few)
    sent = [events.to_channel(app.user("alice"), "a", type="x", data={}) for _ in range(4)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] * 3 + ["RateLimited"]
    assert len(his.events("event.sent")) == 3
    await app.call("PATCH", "/v1/channels/a", {"grants": {"member": ["message.send"]}})
    with pytest.raises(PermissionMissing):
        await events.to_channel(app.user("alice"), "a", type="x", data={})
