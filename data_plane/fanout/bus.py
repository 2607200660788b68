"""The bus between the nodes of a shard: fast, and free to lose, double or reorder. The logs are the truth.

One Redis message per slot and batch, by sharded pub/sub; a node subscribes only to the slots of logs it has
recipients for. What the bus loses, the follower finds (`data_plane.fanout.follower`).
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from data_plane.fanout.line import Message
from data_plane.fanout.sharded import ShardedPubSub
from data_plane.log import Entry, LogKey
from kernel.logging import get_logger

SLOTS: Final = 64
_log = get_logger(__name__)


def slot_of(key: LogKey) -> int:
    """The slot that a log's entries travel in; the same on every node."""
    return zlib.crc32(key.app_id.bytes + key.log.encode()) % SLOTS


class Revoked(msgspec.Struct, frozen=True, kw_only=True, tag="revoked"):
    """A hint to every node of the shard: tokens of a user were revoked."""

    app_id: str
    user_id: str
    valid_after: float


class GrantsChanged(msgspec.Struct, frozen=True, kw_only=True, tag="grants"):
    """A hint to every node of the shard: an app's roles and types are as of `seq` of its own log now."""

    app_id: str
    seq: int


class PresenceChosen(msgspec.Struct, frozen=True, kw_only=True, tag="presence"):
    """A hint to every node of the shard: a user has chosen what to show of itself."""

    process: str
    """Who says so, and need not hear it."""
    app_id: str
    user_id: str
    status: str
    text: str | None
    text_expires_at: float | None
    version: int


Signal = Revoked | GrantsChanged | PresenceChosen


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
    """The bus on sharded pub/sub of Redis 7 or Valkey 8, one server or a cluster."""

    def __init__(
        self,
        redis_url: str,
        shard_id: str,
        node: str,
        *,
        deliver: Callable[[list[Entry]], None],
        on_signal: Callable[[Signal], None],
    ) -> None:
        self._prefix = f"natter:{shard_id}:"
        self._signals = self._prefix + "signals"
        self._me = node.encode()[:255]
        self._deliver = deliver
        self._on_signal = on_signal
        self._wanted: set[int] = set()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[Entry])
        self._names = [f"{self._prefix}{slot}" for slot in range(SLOTS)]
        self._channels = ShardedPubSub(redis_url, name=node, received=self._received, pack=self._pack)

    @property
    def connected(self) -> bool:
        """Whether everything wanted is listened to, as far as one can know."""
        return self._channels.connected

    def start(self) -> None:
        """Begin to send and receive."""
        self._listen()
        self._channels.start()

    async def stop(self) -> None:
        """Stop both directions; what is not sent is left to the followers."""
        await self._channels.stop()

    def publish(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._channels.publish(Message(self._names[slot_of(entry.key)], entry))

    def signal(self, signal: Signal) -> None:
        self._channels.publish(Message(self._signals, msgspec.json.encode(signal), keep=True))

    def subscribe(self, slot: int) -> None:
        self._wanted.add(slot)
        self._listen()

    def unsubscribe(self, slot: int) -> None:
        self._wanted.discard(slot)
        self._listen()

    def _received(self, channel: bytes, data: bytes) -> None:
        try:
            if channel == self._signals.encode():
                self._on_signal(msgspec.json.decode(data, type=Signal))
                return
            sender, body = data[1 : 1 + data[0]], data[1 + data[0] :]
            if sender != self._me:
                self._deliver(self._decoder.decode(body))
        except (msgspec.DecodeError, IndexError) as error:
            _log.error("bus.unreadable", error=repr(error), size=len(data))

    def _listen(self) -> None:
        self._channels.listen({self._signals, *(self._names[slot] for slot in self._wanted)})

    def _pack(self, entries: list[Entry]) -> bytes:
        return bytes([len(self._me)]) + self._me + self._encoder.encode(entries)
