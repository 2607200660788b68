"""The bus over a real Valkey, and over a network that loses it without a word."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from data_plane.fanout import line
from data_plane.fanout.bus import RedisBus, Revoked, Signal, slot_of
from data_plane.log import Entry, LogKey
from data_plane.log.entries import make_entry
from ops.chaos.proxy import Fault, Proxy
from tests.engines import Engines

APP = uuid4()
KEY = LogKey(APP, "c:room")


def entry(seq: int, app: UUID = APP) -> Entry:
    return make_entry(
        app_id=app, log="c:room", seq=seq, epoch="e", type="message.created",
        at=datetime(2026, 1, 1, tzinfo=UTC), actor="ann", data={"n": seq},
    )  # fmt: skip


@asynccontextmanager
async def bus(url: str, name: str, heard: list[int], signals: list[Signal] | None = None) -> AsyncIterator[RedisBus]:
    made = RedisBus(
        url,
        "s0",
        name,
        deliver=lambda entries: heard.extend(e.seq for e in entries),
        on_signal=(signals if signals is not None else []).append,
    )
    made.start()
    made.subscribe(slot_of(KEY))
    try:
        yield made
    finally:
        await made.stop()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> float:
    """How long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never came"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def repeat(publish: Callable[[], None], condition: Callable[[], bool], seconds: float) -> None:
    """Publish until it is heard: subscribing takes effect "soon"."""

    async def keep_on() -> None:
        while True:
            publish()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(keep_on())
    try:
        await until(condition, seconds)
    finally:
        task.cancel()


@pytest.fixture
async def proxy(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Proxy]:
    made = Proxy(free_ports(1)[0], engines.valkey.port)
    await made.start()
    yield made
    await made.stop()


Through = Callable[[Proxy], str]


@pytest.fixture
def through(redis_url: str, engines: Engines) -> Through:
    return lambda proxy: redis_url.replace(f":{engines.valkey.port}", f":{proxy.port}")


async def test_the_other_nodes_hear_a_batch_in_order_and_its_sender_does_not(redis_url: str):
    one: list[int] = []
    two: list[int] = []
    async with bus(redis_url, "bus_1", one) as a, bus(redis_url, "bus_2", two):
        await repeat(lambda: a.publish([entry(1)]), lambda: bool(two), 5)
        two.clear()
        a.publish([entry(n) for n in range(10, 20)])
        await until(lambda: 19 in two)
        assert [n for n in two if n > 1] == list(range(10, 20))
        assert one == []


@pytest.mark.parametrize("fault", ["cut", "swallow", "forget"])
async def test_a_bus_that_falls_silent_is_noticed_and_heard_again(
    proxy: Proxy, through: Through, redis_url: str, monkeypatch: pytest.MonkeyPatch, fault: Fault
):
    monkeypatch.setattr(line, "PING_PERIOD", 0.2)
    heard: list[int] = []
    async with bus(redis_url, "bus_1", []) as a, bus(through(proxy), "bus_2", heard) as b:
        await repeat(lambda: a.publish([entry(1)]), lambda: bool(heard), 5)
        assert b.connected
        proxy.break_with(fault)
        await until(lambda: not b.connected, 0.2 * (line.MAX_UNANSWERED + 2) + 0.5)
        proxy.heal()
        heard.clear()
        # A connect that began in the hole may have to run into its own time limit first.
        await repeat(lambda: a.publish([entry(2)]), lambda: 2 in heard, 8)
        assert b.connected


async def test_a_quiet_bus_is_not_taken_for_a_dead_one(redis_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line, "PING_PERIOD", 0.05)
    heard: list[int] = []
    async with bus(redis_url, "bus_1", heard) as a:
        await until(lambda: a.connected)
        begun = a._channels.heard
        for _ in range(20):
            assert a.connected
            await asyncio.sleep(0.05)
        assert a._channels.heard > begun


async def test_a_revocation_is_told_once_the_bus_is_back(proxy: Proxy, through: Through, redis_url: str):
    signals: list[Signal] = []
    signal = Revoked(app_id="app_x", user_id="ann", valid_after=1.0)
    async with bus(through(proxy), "bus_1", []) as a, bus(redis_url, "bus_2", [], signals) as b:
        await until(lambda: a.connected and b.connected)
        await asyncio.sleep(0.2)
        proxy.break_with("cut")
        await asyncio.sleep(0.1)
        a.signal(signal)
        await asyncio.sleep(0.5)
        assert signals == []
        proxy.heal()
        await until(lambda: signals == [signal])
