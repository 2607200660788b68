"""Counts that the processes of a shard share through Redis: each writes its own and reads the others'.

One hash a key, one field a process: `<count> <seconds since 1970>`. A change is written within `SOON` and a picture is
believed for `FRESH` seconds, so a limit can be overshot by what comes within that time; with Redis away each process
goes by its own count alone.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar

from redis.asyncio import Redis, RedisCluster

from kernel.clock import Clock
from kernel.logging import get_logger
from kernel.redis import REDIS_ERRORS

FRESH: Final = 2.0
"""Seconds for which the other processes' counts are believed."""
SOON: Final = 0.1
"""Seconds in which changes gather before they are written."""
PATIENCE: Final = 0.5
"""Seconds that somebody who connects waits for Redis; one that is silent must not cost the whole handshake."""
EXPIRY: Final = 10.0
"""Seconds after which a process that says nothing counts no more; also the most that clocks may differ."""
_MOST_KNOWN: Final = 10_000
"""Keys whose counts are remembered at once; beyond it the old ones are forgotten."""

K = TypeVar("K")
_log = get_logger(__name__)


class _Others(NamedTuple):
    sum: int
    read_at: float


class SharedCounts(Generic[K]):
    """`process` is this one's name, `own(key)` its count; `name(key)` makes the Redis key, with its own hash tag."""

    def __init__(
        self,
        redis: Redis | RedisCluster,
        *,
        process: str,
        clock: Clock,
        own: Callable[[K], int],
        name: Callable[[K], str],
    ) -> None:
        self._redis = redis
        self._process = process
        self._clock = clock
        self._own = own
        self._name = name
        self._others: dict[K, _Others] = {}
        self._reading: dict[K, asyncio.Task[_Others]] = {}
        self._changed: set[K] = set()
        self._left: set[K] = set()
        self._news = asyncio.Event()
        self._away = False

    async def others(self, key: K) -> int:
        """The other processes' sum."""
        known = self._others.get(key)
        if known is not None and self._clock.monotonic() - known.read_at < FRESH:
            return known.sum
        task = self._reading.get(key)
        if task is None:
            task = asyncio.create_task(self._read(key))
            self._reading[key] = task
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        # Shared by all who ask at the moment; one of them going away must not stop it.
        return (await asyncio.shield(task)).sum

    def changed(self, key: K) -> None:
        """This process's count is another one, and not nothing."""
        self._left.discard(key)
        self._changed.add(key)
        self._news.set()

    def left(self, key: K) -> None:
        """This process's count has become nothing."""
        self._changed.discard(key)
        self._left.add(key)
        self._news.set()

    async def run(self, held: Callable[[], Iterable[K]]) -> None:
        """Tell the other processes this one's counts, for ever: what has changed soon, and all that it holds again and
        again."""
        now = asyncio.get_running_loop().time
        while True:
            await self.publish(held())
            due = now() + FRESH
            while now() < due:
                try:
                    async with asyncio.timeout_at(due):
                        await self._news.wait()
                except TimeoutError:
                    break
                await asyncio.sleep(SOON)
                await self.publish(self._changed)

    async def publish(self, held: Iterable[K]) -> None:
        """Write the counts of these, and take back what this process has left. Redis being away is logged once and
        otherwise ignored."""
        held = set(held)
        self._news.clear()
        self._changed = set()
        left, self._left = self._left - held, set()
        if not left and not held:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in held:
                    self._write(pipe, key)
                for key in left:
                    pipe.hdel(self._name(key), self._process)
                await pipe.execute()
        except REDIS_ERRORS as error:
            self._left |= left - self._changed
            self._is_away(error)
        else:
            self._away = False

    async def _read(self, key: K) -> _Others:
        count = 0
        try:
            async with asyncio.timeout(PATIENCE), self._redis.pipeline(transaction=False) as pipe:
                self._write(pipe, key)
                pipe.hgetall(self._name(key))
                fields: dict[bytes, bytes] = (await pipe.execute())[-1]
            count = self._sum(fields, self._clock.now())
            self._away = False
        except REDIS_ERRORS as error:
            self._is_away(error)
        others = _Others(count, self._clock.monotonic())
        if len(self._others) >= _MOST_KNOWN:
            self._others.clear()
        self._others[key] = others
        return others

    def _sum(self, fields: dict[bytes, bytes], now: datetime) -> int:
        total = 0
        for name, value in fields.items():
            count, _, at = value.partition(b" ")
            if name != self._process.encode() and float(at) > now.timestamp() - EXPIRY:
                total += int(count)
        return total

    def _write(self, pipe: Any, key: K) -> None:
        name = self._name(key)
        pipe.hset(name, self._process, f"{self._own(key)} {self._clock.now().timestamp():.3f}")
        pipe.expire(name, int(EXPIRY * 2))

    def _is_away(self, error: Exception) -> None:
        if not self._away:
            _log.warning("connections.redis_away", error=repr(error))
        self._away = True
