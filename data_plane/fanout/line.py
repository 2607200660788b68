"""A line to one server of sharded pub/sub: one connection that says what gathered, and one that listens."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeout

from kernel.logging import get_logger
from kernel.tasks import end_tasks

PING_PERIOD: Final = 3.0
"""Seconds between looks whether the bus still answers."""
MAX_UNANSWERED: Final = 2
"""Looks in a row that may hear nothing. Then the connection is given up: a network that swallows packets ends none by
itself, and a subscriber who waits would wait for ever. So silence is noticed within 10 s."""
PATIENCE: Final = 0.2
"""Seconds between a failure and the next try."""
_log = get_logger(__name__)


class Message(NamedTuple):
    """What is said in a channel: bytes as they are, or a part that goes out together with others of its channel.

    `keep`: said again after a failure, which most need not be, because followers find it.
    """

    channel: str
    part: Any
    keep: bool = False


class Line:
    """Sends and listens, each over a connection of its own, for ever anew.

    `received` gets channel and data of what is heard. `stray` is called when something is not where it was, which may
    mean that a channel is now carried elsewhere; it gets the messages that must be said again. `pack` makes one message
    of the parts that gathered for a channel while the one before it was under way.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        received: Callable[[bytes, bytes], None],
        stray: Callable[[list[Message]], None],
        pack: Callable[[list[Any]], bytes],
        max_waiting: int = 50_000,
    ) -> None:
        self._redis = redis
        self._received = received
        self._stray = stray
        self._pack = pack
        self._max_waiting = max_waiting
        self._outgoing: list[Message] = []
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._subscribed: set[str] = set()
        self.wanted: set[str] = set()
        self.connected = False
        self.heard = 0
        """Whatever came in over the subscription so far, answers to pings included."""
        self._tasks = [
            asyncio.create_task(self._send_for_ever(), name="bus-send"),
            asyncio.create_task(self._receive_for_ever(), name="bus-receive"),
        ]

    async def stop(self) -> None:
        """Stop both directions; what is not said is left to the followers."""
        await end_tasks(self._tasks)
        await self._redis.aclose()

    def publish(self, message: Message) -> None:
        """Say it, soon. Dropped when too much waits."""
        if message.keep or len(self._outgoing) < self._max_waiting:
            self._outgoing.append(message)
            self._wake.set()

    def listen(self, channels: set[str]) -> None:
        """Have these channels and no others, soon."""
        if channels != self.wanted or channels - self._subscribed:
            self.wanted = channels
            self._changed.set()

    async def _send_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._outgoing = self._outgoing, []
            groups: dict[object, list[Message]] = {}
            for message in batch:
                apart = isinstance(message.part, bytes)
                groups.setdefault(id(message) if apart else message.channel, []).append(message)
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for group in groups.values():
                        pipe.execute_command("SPUBLISH", group[0].channel, self._data(group))
                    answers = await pipe.execute(raise_on_error=False)
            except Exception as error:
                # Delivery to the other nodes falls back to their followers until the bus is back.
                _log.warning("bus.send_failed", error=repr(error), messages=len(batch))
                await asyncio.sleep(PATIENCE)
                self._stray([message for message in batch if message.keep])
                continue
            refused = [
                (group, answer)
                for group, answer in zip(groups.values(), answers, strict=True)
                if isinstance(answer, Exception)
            ]
            if refused:
                # Moved to another server, or the cluster is of no mind at the moment.
                _log.warning("bus.refused", error=repr(refused[0][1]), messages=len(refused))
                await asyncio.sleep(PATIENCE)
                self._stray([message for group, _ in refused for message in group])

    def _data(self, group: list[Message]) -> bytes:
        part = group[0].part
        return part if isinstance(part, bytes) else self._pack([message.part for message in group])

    async def _receive_for_ever(self) -> None:
        while True:
            try:
                await self._receive()
                continue
            except Exception as error:
                _log.warning("bus.receive_failed", error=repr(error))
            finally:
                self.connected = False
                self._subscribed = set()
            self._stray([])
            await asyncio.sleep(PATIENCE)

    async def _receive(self) -> None:
        """Listen while any channel is wanted."""
        while not self.wanted:
            await self._wait_for_change()
        pubsub: Any = self._redis.pubsub()
        async with contextlib.aclosing(pubsub):
            await pubsub.connect()
            self._changed.set()
            self.connected = True
            lasting = [asyncio.create_task(self._read(pubsub)), asyncio.create_task(self._watch(pubsub))]
            changed: asyncio.Task[None] | None = None
            try:
                while True:
                    changed = asyncio.create_task(self._wait_for_change())
                    await asyncio.wait({*lasting, changed}, return_when=asyncio.FIRST_COMPLETED)
                    for task in lasting:
                        if task.done():
                            task.result()
                    if not self.wanted:
                        return
                    await self._follow_wishes(pubsub)
            finally:
                await end_tasks([*lasting, *([changed] if changed else [])])

    async def _wait_for_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    async def _follow_wishes(self, pubsub: Any) -> None:
        wanted = set(self.wanted)
        add, drop = wanted - self._subscribed, self._subscribed - wanted
        self._subscribed = wanted
        # One by one: in a cluster a command may name channels of one slot only.
        for channel in add:
            await pubsub.ssubscribe(channel)
        for channel in drop:
            await pubsub.sunsubscribe(channel)

    async def _watch(self, pubsub: Any) -> None:
        """Ask for an answer again and again. Raises `redis.TimeoutError` when the bus has gone silent."""
        heard, unanswered = self.heard, 0
        while True:
            await pubsub.ping("natter")
            await asyncio.sleep(PING_PERIOD)
            unanswered = unanswered + 1 if self.heard == heard else 0
            heard = self.heard
            if unanswered > MAX_UNANSWERED:
                raise RedisTimeout("the bus is silent")

    async def _read(self, pubsub: Any) -> None:
        while True:
            message = await pubsub.get_message(timeout=None)
            self.heard += 1
            if message is None:
                continue
            if message["type"] == "smessage":
                self._received(message["channel"], message["data"])
            elif message["type"] == "sunsubscribe" and message["channel"].decode() in self._subscribed:
                # Nobody asked: the channel's slot has gone to another server.
                self._subscribed.discard(message["channel"].decode())
                self._stray([])
