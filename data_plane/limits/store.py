"""The buckets that all nodes of a shard share, in Redis."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from redis.asyncio import Redis, RedisCluster

from kernel.gcra import Rate
from kernel.redis import REDIS_ERRORS

SCRIPT: Final = (Path(__file__).parent / "buckets.lua").read_text()
PATIENCE: Final = 0.5
"""Seconds for Redis to answer; then it counts as away."""
MOST_KEYS: Final = 250
"""Keys of one call, so that no other client of Redis waits long for it."""
CALLS_AT_ONCE: Final = 8
"""Calls of one settlement that are under way together: in a cluster each takes a connection of its own."""


class Away(Exception):
    """Redis does not answer now."""


class Ask(NamedTuple):
    """Units of one bucket. `tag` is what its key is hashed by in a cluster: an app, or an address."""

    tag: str
    key: str
    rate: Rate
    cost: int


class Told(NamedTuple):
    """What Redis says of a bucket: its backlog, and the wait until the cost would pass, both in microseconds."""

    backlog: int
    wait: int


class BucketStore:
    """Runs the script. Every method raises `Away`."""

    def __init__(self, redis: Redis | RedisCluster, shard_id: str) -> None:
        self._script = redis.register_script(SCRIPT)
        self._prefix = f"natter:{shard_id}:limit:"
        # A cluster wants all keys of a call in one slot; a single server takes them all at once.
        self._clustered = isinstance(redis, RedisCluster)

    async def take(self, asks: Sequence[Ask]) -> list[Told]:
        """Charge all or none. They have one tag."""
        return await self._run("take", asks)

    async def settle(self, asks: Sequence[Ask]) -> list[Told]:
        """Charge what has passed already. In the order of the asks."""
        answers: list[Told | None] = [None] * len(asks)
        failures: list[Away] = []
        gate = asyncio.Semaphore(CALLS_AT_ONCE)

        async def run(part: list[int]) -> None:
            async with gate:
                if failures:
                    return
                # A call that has begun is never cut off because another one failed. Its connection would go with it,
                # so that on a busy machine every round would start with none and not have made them all in time.
                try:
                    told = await self._run("settle", [asks[i] for i in part])
                except Away as error:
                    failures.append(error)
                    return
            for i, each in zip(part, told, strict=True):
                answers[i] = each

        async with asyncio.TaskGroup() as group:
            for part in self._parts(asks):
                group.create_task(run(part))
        if failures:
            raise failures[0]
        return [told for told in answers if told is not None]

    def _parts(self, asks: Sequence[Ask]) -> Iterable[list[int]]:
        by_tag: dict[str, list[int]] = {}
        for i, ask in enumerate(asks):
            by_tag.setdefault(ask.tag if self._clustered else "", []).append(i)
        for part in by_tag.values():
            for at in range(0, len(part), MOST_KEYS):
                yield part[at : at + MOST_KEYS]

    async def _run(self, mode: Literal["take", "settle"], asks: Sequence[Ask]) -> list[Told]:
        keys = [f"{self._prefix}{{{ask.tag}}}:{ask.key}" for ask in asks]
        args: list[Any] = [mode]
        for ask in asks:
            args += (ask.rate.every, ask.rate.burst, ask.cost)
        try:
            async with asyncio.timeout(PATIENCE):
                flat: list[int] = await self._script(keys, args)
        except (*REDIS_ERRORS, TimeoutError) as error:
            raise Away(repr(error)) from error
        return [Told(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
