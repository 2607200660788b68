"""The bus between the nodes of a shard: fast, and free to lose, double or reorder. The logs are the truth.

One Redis message per slot and batch, by sharded pub/sub; a node subscribes only to the slots of logs it has
recipients for. What the bus loses, the follower finds (`data_plane.fanout.follower`).
"""

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeout

from data_plane.log import Entry, LogKey
from kernel.logging import get_logger

SLOTS: Final = 64
PING_PERIOD: Final = 3.0
"""Seconds between looks whether the bus still answers."""
MAX_UNANSWERED: Final = 2
"""Looks in a row that may hear nothing. Then the connection is given up: a network that swallows packets ends none by
itself, and a subscriber who waits would wait for ever. So silence is noticed within 10 s."""
_log = get_logger(__name__)


def slot_of(key: LogKey) -> int:
    """The slot that a log's entries travel in; the same on every node."""
    return zlib.crc32(key.app_id.bytes + key.log.encode()) % SLOTS


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A hint to every node of the shard: tokens of a user were revoked."""

    app_id: str
    user_id: str
    valid_after: float


class Bus(Protocol):
    """Carries entries to the other nodes, without promises.

    `publish` and `signal` never block and never fail; entries of one call keep their order on a healthy bus. Received
    entries go to the `deliver` that the bus was made with, the node's own excluded.
    """

    def publish(self, entries: Sequence[Entry]) -> None:
        """Send entries to whoever subscribes to their slots."""
        ...

    def signal(self, signal: Signal) -> None:
        """Tell every node of the shard."""
        ...

    def subscribe(self, slot: int) -> None:
        """Begin to receive a slot, soon."""
        ...

    def unsubscribe(self, slot: int) -> None:
        """Stop receiving a slot, soon."""
        ...


class RedisBus:
    """The bus on Redis 7 or Valkey 8 sharded pub/sub."""

    def __init__(
        self,
        redis: Redis,
        shard_id: str,
        node: str,
        *,
        deliver: Callable[[list[Entry]], None],
        on_signal: Callable[[Signal], None],
        max_waiting: int = 50_000,
    ) -> None:
        self._redis = redis
        self._prefix = f"natter:{shard_id}:"
        self._me = node.encode()[:255]
        self._deliver = deliver
        self._on_signal = on_signal
        self._max_waiting = max_waiting
        self._outgoing: list[Entry] = []
        self._signals: list[Signal] = []
        self._wake = asyncio.Event()
        self._wanted: set[int] = set()
        self._subscriptions_changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[Entry])
        self._heard = 0
        """Whatever came in over the subscription so far, answers to pings included."""
        self.connected = False

    def start(self) -> None:
        """Begin to send and receive."""
        self._tasks = [
            asyncio.create_task(self._send_for_ever(), name="bus-send"),
            asyncio.create_task(self._receive_for_ever(), name="bus-receive"),
        ]

    async def stop(self) -> None:
        """Stop both directions; what is not sent is left to the followers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    def publish(self, entries: Sequence[Entry]) -> None:
        if len(self._outgoing) < self._max_waiting:
            self._outgoing.extend(entries)
            self._wake.set()

    def signal(self, signal: Signal) -> None:
        self._signals.append(signal)
        self._wake.set()

    def subscribe(self, slot: int) -> None:
        self._wanted.add(slot)
        self._subscriptions_changed.set()

    def unsubscribe(self, slot: int) -> None:
        self._wanted.discard(slot)
        self._subscriptions_changed.set()

    async def _send_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._outgoing = self._outgoing, []
            signals, self._signals = self._signals, []
            slots: dict[int, list[Entry]] = {}
            for entry in batch:
                slots.setdefault(slot_of(entry.key), []).append(entry)
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for slot, entries in slots.items():
                        pipe.execute_command("SPUBLISH", self._channel(slot), self._pack(self._encoder.encode(entries)))
                    for signal in signals:
                        pipe.execute_command("SPUBLISH", self._prefix + "signals", msgspec.json.encode(signal))
                    await pipe.execute()
            except Exception as error:
                # Delivery to the other nodes falls back to their followers until the bus is back.
                _log.warning("bus.send_failed", error=repr(error), entries=len(batch))
                await asyncio.sleep(0.2)
                if signals:
                    self._signals = [*signals, *self._signals][-1000:]
                    self._wake.set()

    async def _receive_for_ever(self) -> None:
        while True:
            try:
                await self._receive()
            except Exception as error:
                _log.warning("bus.receive_failed", error=repr(error))
            self.connected = False
            await asyncio.sleep(0.2)

    async def _receive(self) -> None:
        pubsub: Any = self._redis.pubsub(ignore_subscribe_messages=True)
        async with contextlib.aclosing(pubsub):
            await pubsub.ssubscribe(self._prefix + "signals")
            subscribed: set[int] = set()
            self._subscriptions_changed.set()
            self.connected = True
            reader = asyncio.create_task(self._read(pubsub))
            pulse = asyncio.create_task(self._watch(pubsub))
            tasks = {reader, pulse}
            try:
                while True:
                    changed = asyncio.create_task(self._changed())
                    tasks = {reader, pulse, changed}
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
                    for ended in (reader, pulse):
                        if ended.done():
                            ended.result()
                            return
                    self._subscriptions_changed.clear()
                    wanted = set(self._wanted)
                    if add := wanted - subscribed:
                        await pubsub.ssubscribe(*map(self._channel, add))
                    if drop := subscribed - wanted:
                        await pubsub.sunsubscribe(*map(self._channel, drop))
                    subscribed = wanted
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _changed(self) -> None:
        await self._subscriptions_changed.wait()

    async def _watch(self, pubsub: Any) -> None:
        """Ask for an answer again and again. Raises `redis.TimeoutError` when the bus has gone silent."""
        heard, unanswered = self._heard, 0
        while True:
            await pubsub.ping("natter")
            await asyncio.sleep(PING_PERIOD)
            unanswered = unanswered + 1 if self._heard == heard else 0
            heard = self._heard
            if unanswered > MAX_UNANSWERED:
                raise RedisTimeout("the bus is silent")

    async def _read(self, pubsub: Any) -> None:
        signals = (self._prefix + "signals").encode()
        while True:
            message = await pubsub.get_message(timeout=None)
            self._heard += 1
            if message is None or message["type"] != "smessage":
                continue
            data: bytes = message["data"]
            try:
                if message["channel"] == signals:
                    self._on_signal(msgspec.json.decode(data, type=Signal))
                    continue
                sender, body = data[1 : 1 + data[0]], data[1 + data[0] :]
                if sender != self._me:
                    self._deliver(self._decoder.decode(body))
            except msgspec.DecodeError as error:
                _log.error("bus.unreadable", error=repr(error), size=len(data))

    def _pack(self, body: bytes) -> bytes:
        return bytes([len(self._me)]) + self._me + body

    def _channel(self, slot: int) -> str:
        return f"{self._prefix}{slot}"
