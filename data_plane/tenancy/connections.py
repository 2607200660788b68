"""How many connections an app has at once, over all nodes of its shard, against the plan's limit.

Each node keeps its own count in a Redis hash of the app and reads the others'. The picture is at most 2 s old, so an
app can overshoot by what connects within that time; with Redis away each node goes by its own count alone.
"""

import asyncio
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from redis.asyncio import Redis, RedisCluster

from data_plane.tenancy.counts import ConnectionCounts
from data_plane.tenancy.quotas import find_quota, quota_exceeded
from kernel.clock import Clock
from kernel.contracts import AppSnapshot
from kernel.ids import parse_id
from kernel.logging import get_logger
from kernel.redis import REDIS_ERRORS

FRESH: Final = 2.0
"""Seconds for which the other nodes' counts are believed."""
EXPIRY: Final = 10.0
"""Seconds after which a node that says nothing counts no more; also the most that nodes' clocks may differ."""

_log = get_logger(__name__)


class _Others(NamedTuple):
    connections: int
    read_at: float


class ConnectionQuota:
    """Counts this node's connections by app and admits new ones while the plan allows."""

    def __init__(self, redis: Redis | RedisCluster, *, shard_id: str, node: str, clock: Clock) -> None:
        self._redis = redis
        self._prefix = f"natter:{shard_id}:connections:"
        self._node = node
        self._clock = clock
        self.counts = ConnectionCounts(clock)
        """This node's own: what the limit is checked against, and what the peak meter is made of."""
        self._others: dict[UUID, _Others] = {}
        self._reading: dict[UUID, asyncio.Task[_Others]] = {}
        self._left: set[UUID] = set()
        self._redis_away = False

    def local(self, app_id: UUID) -> int:
        """Connections of the app on this node."""
        return self.counts[app_id]

    async def acquire(self, app: AppSnapshot) -> None:
        """Count one connection more; `release` gives it back. Raises `QuotaExceeded` when the plan's limit is reached.

        The limit is the plan's and holds in any month; what the ledger has measured so far does not matter here.
        """
        app_id = parse_id("app", app.app_id)
        quota = find_quota(app, "peak_connections")
        if quota is not None and quota.limit is not None and quota.over == "stop":
            others = await self._others_of(app_id)
            # No wait between here and the count below, or a burst would slip through.
            used = self.local(app_id) + others
            if used >= quota.limit:
                raise quota_exceeded(quota, used=used)
        self.counts.add(app_id)

    def release(self, app_id: UUID) -> None:
        """A counted connection has ended."""
        if not self.counts.remove(app_id):
            self._left.add(app_id)

    async def run(self) -> None:
        """Tell the other nodes this one's counts, for ever."""
        while True:
            await self.publish()
            await asyncio.sleep(FRESH)

    async def publish(self) -> None:
        """Write this node's counts of all apps. Redis being away is logged once and otherwise ignored."""
        held = self.counts.as_dict()
        left, self._left = self._left - held.keys(), set()
        if not left and not held:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for app_id in held:
                    self._write(pipe, app_id)
                for app_id in left:
                    pipe.hdel(self._key(app_id), self._node)
                await pipe.execute()
        except REDIS_ERRORS as error:
            self._left |= left
            self._away(error)
        else:
            self._redis_away = False

    async def _others_of(self, app_id: UUID) -> int:
        known = self._others.get(app_id)
        if known is not None and self._clock.monotonic() - known.read_at < FRESH:
            return known.connections
        task = self._reading.get(app_id)
        if task is None:
            task = asyncio.create_task(self._read(app_id))
            self._reading[app_id] = task
            task.add_done_callback(lambda _: self._reading.pop(app_id, None))
        # Shared by all who connect at the moment; one of them going away must not stop it.
        return (await asyncio.shield(task)).connections

    async def _read(self, app_id: UUID) -> _Others:
        count = 0
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                self._write(pipe, app_id)
                pipe.hgetall(self._key(app_id))
                fields: dict[bytes, bytes] = (await pipe.execute())[-1]
            count = self._sum(fields, self._clock.now())
            self._redis_away = False
        except REDIS_ERRORS as error:
            self._away(error)
        others = _Others(count, self._clock.monotonic())
        self._others[app_id] = others
        return others

    def _sum(self, fields: dict[bytes, bytes], now: datetime) -> int:
        total = 0
        for name, value in fields.items():
            count, _, at = value.partition(b" ")
            if name != self._node.encode() and float(at) > now.timestamp() - EXPIRY:
                total += int(count)
        return total

    def _write(self, pipe: Any, app_id: UUID) -> None:
        key = self._key(app_id)
        pipe.hset(key, self._node, f"{self.local(app_id)} {self._clock.now().timestamp():.3f}")
        pipe.expire(key, int(EXPIRY * 2))

    def _key(self, app_id: UUID) -> str:
        return f"{self._prefix}{{{app_id.hex}}}"

    def _away(self, error: Exception) -> None:
        if not self._redis_away:
            _log.warning("connections.redis_away", error=repr(error))
        self._redis_away = True
