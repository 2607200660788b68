"""What a refused event costs: no task, nothing for the collector of garbage, and an answer in its own time."""

import asyncio
import gc
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from prometheus_client import CollectorRegistry

from data_plane.gateway import packets
from data_plane.gateway.connection import UserConnection
from data_plane.gateway.dispatcher import Dispatcher
from data_plane.gateway.routes import Payload, SocketRoute
from data_plane.identity.caller import Caller, UserCaller
from data_plane.limits import limiter as module
from data_plane.limits.limiter import Limiter
from data_plane.limits.policies import MESSAGES, MESSAGES_APP, MESSAGES_USER
from data_plane.limits.sockets import MOST_UNANSWERED, SocketLimits
from data_plane.limits.store import BucketStore
from kernel.clock import SystemClock
from kernel.contracts import RateLimit
from kernel.errors import RateLimited
from kernel.redis import connect_redis
from tests.data_plane.limits.test_nodes import app

NOW = datetime(2026, 1, 15, tzinfo=UTC)
BURST = 10
POLITE = 20
"""Refusals at once; then they are held."""


class Wire:
    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes]] = []
        self.paused = False

    def send(self, frame: Any) -> None:
        self.sent += [(asyncio.get_running_loop().time(), message) for message in frame.messages]

    send_soon = send

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class Room:
    """A dispatcher with the limits of a plan and one connection."""

    def __init__(self, redis_url: str) -> None:
        self.limiter = Limiter(BucketStore(connect_redis(redis_url), "s0"), SystemClock(), CollectorRegistry())
        route = SocketRoute("message.send", Payload, self.handle)
        self.dispatcher = Dispatcher([route], limits=SocketLimits(self.limiter))
        plan = app(RateLimit(policy=MESSAGES_USER.name, per_second=0.001, burst=BURST))
        caller = UserCaller(
            app=plan, app_id=uuid4(), user_id="ann", token_issued_at=NOW, token_expires_at=NOW + timedelta(hours=1)
        )
        self.wire = Wire()
        self.connection = UserConnection("con_1", caller, self.wire)  # type: ignore[arg-type]
        self.number = 0

    async def handle(self, caller: Caller, payload: Any) -> dict[str, Any]:
        return {}

    def send(self) -> Any:
        self.number += 1
        packet = packets.decode(b'2%d["message.send",{}]' % self.number)
        return self.dispatcher.dispatch(self.connection, packet)

    async def use_up(self) -> None:
        """What the plan allows."""
        self.limiter.away = True  # nobody settles here
        for _ in range(BURST):
            await self.send()


@pytest.fixture
async def room(redis_url: str) -> Room:
    room = Room(redis_url)
    await room.use_up()
    room.wire.sent.clear()
    return room


async def test_who_is_refused_costs_no_task_and_no_garbage(room: Room) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(POLITE):
            assert room.send() is None, "answered on the spot"
        assert gc.collect() < POLITE, "a refusal that its own traceback keeps alive is there until somebody looks"
    finally:
        gc.enable()
    assert len(room.wire.sent) == POLITE
    assert all(orjson.loads(answer[3:])[0]["error"]["code"] == "rate_limited" for _, answer in room.wire.sent)
    assert room.connection.in_flight == 0


async def test_those_that_are_held_are_in_flight_and_do_not_come_back_together(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SECONDS_HELD", 0.1)
    for _ in range(POLITE + 50):
        room.send()
    room.wire.sent.clear()
    assert room.connection.in_flight == 50
    async with asyncio.timeout(5):
        while room.connection.in_flight:
            await asyncio.sleep(0.005)
    moments = [at for at, _ in room.wire.sent]
    assert len(moments) == 50
    busiest = max(sum(at <= other < at + 0.005 for other in moments) for at in moments)
    assert busiest <= 25, "half of them in one moment is the wave again"
    # And what was held counts no more.
    assert room.limiter._held == 0


async def test_who_floods_is_not_read_until_it_has_an_answer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SECONDS_HELD", 0.1)
    for _ in range(POLITE + MOST_UNANSWERED - 1):
        room.send()
    assert not room.wire.paused, "a few refusals are anybody's"
    room.send()
    assert room.wire.paused
    async with asyncio.timeout(5):
        while room.wire.paused:
            await asyncio.sleep(0.005)
    assert room.connection.held < MOST_UNANSWERED
    assert len(room.wire.sent) > POLITE, "the first answer comes before the next is read"


async def test_all_users_of_an_app_that_is_over_wait_in_one_line(redis_url: str) -> None:
    limiter = Limiter(BucketStore(connect_redis(redis_url), "s0"), SystemClock(), CollectorRegistry())
    limiter.away = True
    plan = app(RateLimit(policy=MESSAGES_APP.name, per_second=0.001, burst=1))
    limiter.try_pass(limiter.buckets(MESSAGES, plan, "the first"))
    held = 0
    for number in range(10 * POLITE):
        buckets = limiter.buckets(MESSAGES, plan, f"user {number}")
        with pytest.raises(RateLimited) as refused:
            limiter.try_pass(buckets)
        held += limiter.hold(buckets, refused.value) > 0
    assert held >= 9 * POLITE, "each of them has been refused once"


async def test_nobody_waits_behind_somebody_elses_settlement(redis_url: str) -> None:
    limiter = Limiter(BucketStore(connect_redis(redis_url), "s0"), SystemClock(), CollectorRegistry())
    plan = app()
    fast = limiter.buckets(MESSAGES, plan, "fast")
    while limiter.try_pass(fast):
        pass  # until what has passed must be settled first
    waits = asyncio.create_task(limiter.admit(fast))
    await asyncio.sleep(0)
    assert limiter.try_pass(limiter.buckets(MESSAGES, plan, "another"))
    await limiter.settle()
    await waits


async def test_who_has_too_many_in_flight_is_told_at_once(room: Room) -> None:
    for _ in range(POLITE + 100):
        room.send()
    room.wire.sent.clear()
    assert room.send() is None
    assert orjson.loads(room.wire.sent[0][1].partition(b"[")[2][:-1])["error"]["code"] == "too_many_in_flight"
