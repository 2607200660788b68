"""A change of grants is in effect on every node within 2 s, with the bus and without, and clients hear of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from kernel.ids import parse_id
from tests.clients.installation import Installation, Tenant
from tests.invariants.wire import Wire

SECONDS = 2.0
SEND = {"channel_id": "room", "text": "hello"}


@pytest.fixture
async def room(tenant: Tenant) -> str:
    """A group with a member."""
    await tenant.channel("room", "ann")
    return "room"


@pytest.fixture
async def wires(installation: Installation, tenant: Tenant) -> AsyncIterator[Callable[..., Any]]:
    """`await wires("ann", node=1)` connects a user."""
    opened: list[Wire] = []

    async def connect(user: str, *, node: int = 1, **auth: Any) -> Wire:
        wire = await Wire.open(installation.nodes[node].url, {"token": tenant.token(user), **auth})
        assert wire.refusal is None, wire.refusal
        opened.append(wire)
        return wire

    yield connect
    for wire in opened:
        await wire.close()


async def code(wire: Wire, event: str, payload: dict[str, Any]) -> str | None:
    error = orjson.loads(await wire.call(event, payload))[0].get("error")
    return error["code"] if error else None


def told(wire: Wire, event: str) -> list[Any]:
    return [payload for name, payload in (orjson.loads(frame[1:]) for frame in wire.events) if name == event]


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def lasts(wire: Wire, before: str | None) -> float:
    """Seconds until a send is answered otherwise than before."""
    started = time.monotonic()
    while await code(wire, "message.send", SEND) == before:
        assert time.monotonic() - started < 10
        await asyncio.sleep(0.05)  # more often would be too often for the limits on sends
    return time.monotonic() - started


def silence(monkeypatch: pytest.MonkeyPatch, installation: Installation) -> None:
    """As if Redis were away: nothing leaves a node by the bus."""
    for running in installation.nodes:
        monkeypatch.setattr(running.node.bus, "signal", lambda signal: None)
        monkeypatch.setattr(running.node.bus, "publish", lambda entries: None)


@pytest.mark.parametrize("bus", ["there", "away"])
async def test_a_types_grants_hold_on_the_other_node_within_two_seconds(
    bus: str, room: str, wires: Any, installation: Installation, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await wires("ann")
    assert await code(ann, "message.send", SEND) is None
    if bus == "away":
        silence(monkeypatch, installation)
    await tenant.put("/v1/channel-types/group", grants={"member": ["channel.leave"]})
    assert await lasts(ann, None) < SECONDS
    assert await code(ann, "message.send", SEND) == "permission_missing"
    await tenant.put("/v1/channel-types/group", grants={})
    # What was taken and is given back works at once: a refusal is never out of date.
    assert await code(ann, "message.send", SEND) is None


async def test_a_new_types_channels_work_on_the_other_node_at_once(
    wires: Any, installation: Installation, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tenant.post("/v1/users", users=[{"id": "ann"}])
    ann = await wires("ann")
    silence(monkeypatch, installation)
    await tenant.put("/v1/roles/host", scopes=["channel"], grants=["message.send"])
    await tenant.put("/v1/channel-types/salon", grants={}, creator_role="host")
    await tenant.post("/v1/channels", id="room", type="salon", user_id="ann")
    assert await code(ann, "message.send", SEND) is None


async def test_a_channels_own_grants_and_a_role_hold_everywhere_at_once(room: str, wires: Any, tenant: Tenant) -> None:
    ann = await wires("ann")
    assert (await tenant.http.patch("/v1/channels/room", json={"grants": {"member": []}})).is_success
    assert await code(ann, "message.send", SEND) == "permission_missing"
    await tenant.put("/v1/channels/room/members/ann", role="moderator")
    assert await code(ann, "message.send", SEND) is None
    await until(lambda: told(ann, "membership.updated"))
    (own,) = told(ann, "membership.updated")
    shown = (await tenant.http.get("/v1/channels/room")).json()
    assert own["data"]["role"] == "moderator" and "message.delete.any" in own["data"]["capabilities"]
    assert shown["capabilities"] is None and shown["grants"] == {"member": []}


async def test_a_node_that_starts_knows_what_was_said_before(
    room: str, wires: Any, installation: Installation, tenant: Tenant, free_ports: Callable[[int], list[int]]
) -> None:
    await tenant.put("/v1/channel-types/group", grants={"member": []})
    running = await installation.start_node(free_ports(1)[0])
    try:
        late = await wires("ann", node=2)
        assert running.node.grants.of(parse_id("app", tenant.snapshot.app_id)).seq == 1
        assert await code(late, "message.send", SEND) == "permission_missing"
        await late.close()
    finally:
        installation.nodes.remove(running)
        await running.stop()


@pytest.mark.parametrize("change", ["type", "channel", "user"])
async def test_who_may_not_watch_any_more_hears_nothing_within_two_seconds(
    change: str, wires: Any, tenant: Tenant
) -> None:
    await tenant.post("/v1/users", users=[{"id": "eve"}, {"id": "ann"}])
    await tenant.post("/v1/channels", id="show", type="livestream")
    eve, ann = await wires("eve"), await wires("ann")
    await tenant.put("/v1/channels/show/members/ann")
    for wire in (eve, ann):
        assert await code(wire, "channel.watch", {"channel_id": "show"}) is None
    if change == "type":
        await tenant.put("/v1/channel-types/livestream", grants={"user": []})
    elif change == "channel":
        assert (await tenant.http.patch("/v1/channels/show", json={"grants": {"user": []}})).is_success
    else:
        await tenant.put("/v1/roles/stranger", scopes=["app"], grants=[])
        assert (await tenant.http.patch("/v1/users/eve", json={"role": "stranger"})).is_success
    started = time.monotonic()
    await until(lambda: told(eve, "watch.ended"))
    assert time.monotonic() - started < SECONDS
    heard = len(eve.events)
    await tenant.post("/v1/channels/show/messages", text="for members", user_id="ann")
    await until(lambda: told(ann, "message.created"))
    await asyncio.sleep(0.3)
    assert len(eve.events) == heard
    assert told(ann, "watch.ended") == []
    assert await code(eve, "channel.watch", {"channel_id": "show"}) == "not_found"


async def test_a_resume_brings_what_grants_changed_meanwhile_and_live_events_follow(
    room: str, wires: Any, tenant: Tenant
) -> None:
    ann = await wires("ann")
    (ready,) = told(ann, "connection.ready")
    await tenant.put("/v1/channel-types/group", grants={"member": []})
    await until(lambda: told(ann, "grants.updated"))
    again = await wires("ann", node=0, cursor=ready["cursor"])
    await until(lambda: told(again, "grants.updated"))
    await tenant.put("/v1/channel-types/group", grants={})
    await until(lambda: len(told(again, "grants.updated")) == 2)
    await until(lambda: len(told(ann, "grants.updated")) == 2)
    for wire in (ann, again):
        first, second = told(wire, "grants.updated")
        assert (first["seq"], second["seq"], first["channel_id"]) == (1, 2, None)
        assert first["data"]["types"]["group"]["member"] == []
        assert list(second["data"]["types"]) == ["group"]
