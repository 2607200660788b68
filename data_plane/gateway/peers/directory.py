"""Where the nodes of a shard reach each other: a Redis hash that each writes its own address into.

Field: a node's tag. Value: `<seconds since 1970> <host>:<port>`. What is older than `EXPIRY` counts as dead.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis, RedisCluster

from kernel.clock import Clock
from kernel.logging import get_logger
from kernel.redis import REDIS_ERRORS

FRESH: Final = 3.0
"""Seconds between two announcements."""
EXPIRY: Final = 15.0
"""Seconds after which a node that says nothing is taken for dead; also the most that nodes' clocks may differ."""
SOONEST: Final = 0.25
"""Seconds before the hash is read again for the sake of a node that is not known."""

_log = get_logger(__name__)


class Directory:
    """The shard's nodes as this process knows them. With Redis away it goes by what it knew last."""

    def __init__(self, redis: Redis | RedisCluster, *, shard_id: str, tag: str, address: str, clock: Clock) -> None:
        self._redis = redis
        self._key = f"natter:{{{shard_id}}}:nodes"
        self._tag = tag
        self._address = address
        self._clock = clock
        self._known: dict[str, str] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._away = False

    async def run(self) -> None:
        """Announce this node, for ever."""
        while True:
            await self.announce()
            await asyncio.sleep(FRESH)

    async def announce(self) -> None:
        """Write this node's address, if it has one, and read the others'."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                if self._address:
                    pipe.hset(self._key, self._tag, f"{self._clock.now().timestamp():.3f} {self._address}")
                    pipe.expire(self._key, int(EXPIRY * 4))
                pipe.hgetall(self._key)
                fields: dict[bytes, bytes] = (await pipe.execute())[-1]
            dead = self._take(fields)
            if dead:
                await self._redis.hdel(self._key, *dead)
        except REDIS_ERRORS as error:
            if not self._away:
                _log.warning("peers.redis_away", error=repr(error))
            self._away = True
        else:
            self._away = False

    async def address_of(self, tag: str) -> str | None:
        """Where to reach a node; null when nobody knows it. Asks Redis a few times a second at most."""
        if tag not in self._known:
            await self._read_again()
        return self._known.get(tag)

    async def moved(self, tag: str, address: str) -> bool:
        """Whether a node that nobody answers for at this address is at another by now: it was started anew there."""
        await self._read_again()
        return self._known.get(tag, address) != address

    async def _read_again(self) -> None:
        if self._reading is None:
            if self._clock.monotonic() - self._read_at < SOONEST:
                return
            self._reading = asyncio.create_task(self.announce())
            self._reading.add_done_callback(self._has_read)
        await asyncio.shield(self._reading)

    def _has_read(self, _: "asyncio.Task[None]") -> None:
        self._reading = None
        self._read_at = self._clock.monotonic()

    def _take(self, fields: Mapping[bytes, bytes]) -> list[bytes]:
        """Keep what lives; returns the fields of those long gone."""
        now = self._clock.now().timestamp()
        self._known, gone = {}, []
        for tag, value in fields.items():
            at, _, address = value.decode().partition(" ")
            if float(at) > now - EXPIRY:
                self._known[tag.decode()] = address
            elif float(at) < now - 4 * EXPIRY:
                gone.append(tag)
        return gone
