"""The bus and the connection limit on a real cluster: slots that move, a master that dies."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from data_plane.fanout.bus import SLOTS, RedisBus, Revoked, Signal, slot_of
from data_plane.log import Entry, LogKey
from data_plane.log.entries import make_entry
from data_plane.tenancy.connections import ConnectionQuota
from data_plane.tenancy.errors import QuotaExceeded
from kernel.clock import SystemClock
from kernel.contracts import AppSnapshot, Quota
from kernel.ids import format_id
from kernel.redis import connect_redis
from tests.cluster import ValkeyCluster

APP = uuid4()


def capped(limit: int) -> AppSnapshot:
    """An app with so many connections."""
    quota = Quota(meter="peak_connections", period="2026-03", used=0, limit=limit, over="stop", exceeded=False)
    return AppSnapshot(
        app_id=format_id("app", uuid4()), organization_id=format_id("org", uuid4()), version=1, shard="s0",
        environment="production", status="active", publishable_keys=(), secret_keys=(), signing_keys=(),
        quotas=(quota,),
    )  # fmt: skip


def room_in(slot: int) -> str:
    """A channel whose log travels in a slot of the bus."""
    return next(f"room{n}" for n in range(10_000) if slot_of(LogKey(APP, f"c:room{n}")) == slot)


ROOMS = [room_in(slot) for slot in range(SLOTS)]


def entry(slot: int, seq: int, app: UUID = APP) -> Entry:
    return make_entry(
        app_id=app, log=f"c:{ROOMS[slot]}", seq=seq, epoch="e", type="message.created",
        at=datetime(2026, 1, 1, tzinfo=UTC), actor="ann", data={"n": seq},
    )  # fmt: skip


class Heard:
    """What one node's bus delivered: seqs by slot, in the order they came."""

    def __init__(self) -> None:
        self.slots: dict[int, list[int]] = {slot: [] for slot in range(SLOTS)}
        self.signals: list[Signal] = []

    def take(self, entries: list[Entry]) -> None:
        for each in entries:
            self.slots[slot_of(each.key)].append(each.seq)

    def everywhere(self, seq: int) -> bool:
        return all(seq in seqs for seqs in self.slots.values())


@asynccontextmanager
async def bus(url: str, name: str, heard: Heard) -> AsyncIterator[RedisBus]:
    made = RedisBus(url, "s0", name, deliver=heard.take, on_signal=heard.signals.append)
    made.start()
    for slot in range(SLOTS):
        made.subscribe(slot)
    try:
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def two(cluster: ValkeyCluster) -> AsyncIterator[tuple[RedisBus, RedisBus, Heard]]:
    """Two nodes' buses that hear each other in every slot, and what the second one heard."""
    heard = Heard()
    async with bus(cluster.url, "bus_1", Heard()) as one, bus(cluster.url, "bus_2", heard) as other:
        await said_everywhere(one, heard, 1)
        yield one, other, heard


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> float:
    """How long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never came"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def said_everywhere(one: RedisBus, heard: Heard, seq: int, seconds: float = 10.0) -> None:
    """Say something in every slot again and again until it is heard in all."""
    end = time.monotonic() + seconds
    while not heard.everywhere(seq):
        assert time.monotonic() < end, [slot for slot, seqs in heard.slots.items() if seq not in seqs]
        one.publish([entry(slot, seq) for slot in range(SLOTS)])
        await asyncio.sleep(0.1)


async def test_every_slot_is_heard_once_and_in_order(two, cluster):
    one, _, heard = two
    await asyncio.sleep(0.3)
    for seqs in heard.slots.values():
        seqs.clear()
    for seq in range(10, 40):
        one.publish([entry(slot, seq) for slot in range(SLOTS)])
        await asyncio.sleep(0.002)
    await until(lambda: heard.everywhere(39))
    assert all(seqs == list(range(10, 40)) for seqs in heard.slots.values())
    assert len({cluster.owner(f"natter:s0:{slot}").engine.port for slot in range(SLOTS)}) == 3


async def test_a_slot_that_moves_is_followed(two, cluster):
    one, other, heard = two
    channel = "natter:s0:5"
    source = cluster.owner(channel)
    target = next(server for server in cluster.servers[:3] if server is not source)
    cluster.move(channel, target)
    try:
        await said_everywhere(one, heard, 2)
        await until(lambda: one.connected and other.connected)
        assert cluster.call(target, "PUBSUB", "SHARDNUMSUB", channel) == [channel, 2]
        # What moved back is found again, too.
        cluster.move(channel, source)
        await said_everywhere(one, heard, 3)
    finally:
        if cluster.owner(channel) is not source:
            cluster.move(channel, source)


async def test_a_revocation_said_while_its_slot_is_elsewhere_arrives(two, cluster):
    one, _, heard = two
    channel = "natter:s0:signals"
    source = cluster.owner(channel)
    target = next(server for server in cluster.servers[:3] if server is not source)
    signal = Revoked(app_id="app_x", user_id="ann", valid_after=1.0)
    cluster.move(channel, target)
    try:
        end = time.monotonic() + 10
        while signal not in heard.signals:
            assert time.monotonic() < end
            one.signal(signal)
            await asyncio.sleep(0.1)
    finally:
        cluster.move(channel, source)


async def test_connections_are_counted_over_nodes_for_apps_in_any_slot(cluster):
    clients = [connect_redis(cluster.url) for _ in range(2)]
    first, second = (
        ConnectionQuota(client, shard_id="s0", node=f"node-{n}", clock=SystemClock())
        for n, client in enumerate(clients)
    )
    apps = [capped(3) for _ in range(8)]
    try:
        for app in apps:
            for _ in range(2):
                await first.acquire(app)
        await first.publish()
        for app in apps:
            await second.acquire(app)
            with pytest.raises(QuotaExceeded):
                await second.acquire(app)
    finally:
        for client in clients:
            await client.aclose()


async def test_a_master_that_dies_is_replaced_and_the_others_slots_never_notice(two, cluster):
    one, other, heard = two
    dead = cluster.servers[0]
    survivors = [slot for slot in range(SLOTS) if cluster.owner(f"natter:s0:{slot}") is not dead]
    assert 0 < len(survivors) < SLOTS
    dead.kill()
    try:
        for seq in range(100, 130):
            one.publish([entry(slot, seq) for slot in survivors])
            await asyncio.sleep(0.01)
        await until(lambda: all(129 in heard.slots[slot] for slot in survivors), 3)
        for slot in survivors:
            assert [seq for seq in heard.slots[slot] if 100 <= seq < 130] == list(range(100, 130))
        await said_everywhere(one, heard, 200, 15)
        await until(lambda: one.connected and other.connected)
        assert cluster.owner(f"natter:s0:{next(s for s in range(SLOTS) if s not in survivors)}") is cluster.replica
    finally:
        dead.start()
        cluster.wait_until_whole(cluster.servers)
