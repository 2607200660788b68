"""Who is connected, as all processes of a shard share it in Redis."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from redis.asyncio import Redis, RedisCluster

from kernel.redis import REDIS_ERRORS

SCRIPT: Final = (Path(__file__).parent / "presence.lua").read_text()
PARTS: Final = 4
"""Parts of an app's users, each in a slot of its own."""
LIFETIME: Final = 30.0
"""Seconds for which a process's word holds; after that its users are where their other devices are, or nowhere."""
PATIENCE: Final = 1.0
"""Seconds for Redis to answer; then it counts as away."""
MOST: Final = 50
"""Users of one call, so that no other client of Redis waits long for it, and packing it holds the loop for a
millisecond."""
_FIELDS: Final = 7

User = tuple[UUID, str]


class Away(Exception):
    """Redis does not answer now."""


class Put(NamedTuple):
    """What a process says of a user. `state`: `o`, `a`, empty for no device here, `-` for nothing about devices."""

    user: User
    state: str
    choice: str
    version: int
    known: str = ""


class Standing(NamedTuple):
    """A user's state before and after, with the version of the state, the choice and its version as Redis has them, and
    whether this process counts the user."""

    user: User
    before: str
    state: str
    at: int
    choice: str
    version: int
    counts: bool


class PresenceStore:
    """Runs the script. Every method raises `Away`."""

    def __init__(self, redis: Redis | RedisCluster, *, shard_id: str, process: str, lifetime: float = LIFETIME) -> None:
        self._script = redis.register_script(SCRIPT)
        self._prefix = f"natter:{shard_id}:presence:"
        self._process = process
        self._life = round(lifetime * 1000)

    def put(self, puts: Sequence[Put]) -> AsyncIterator[list[Standing]]:
        """Say where users are; in no order, some at a time."""
        flat = {put.user: (put.user[1], put.state, put.choice, put.version, put.known) for put in puts}
        return self._each(flat, ["put", self._process, self._life])

    async def read(self, users: Iterable[User]) -> list[Standing]:
        """Where users are now; in no order."""
        return [
            standing async for some in self._each({user: (user[1],) for user in users}, ["read"]) for standing in some
        ]

    async def sweep(self, app_id: UUID) -> list[Standing]:
        """Users of an app whose processes have said nothing in time, and who are elsewhere for it."""
        found: list[Standing] = []
        for part in range(PARTS):
            while True:
                swept = await self._run(app_id, part, ["sweep", MOST])
                found += swept
                if len(swept) < MOST:
                    break
        return found

    async def _each(self, users: dict[User, tuple[Any, ...]], head: list[Any]) -> AsyncIterator[list[Standing]]:
        by_part: dict[tuple[UUID, int], list[tuple[Any, ...]]] = {}
        for user, said in users.items():
            by_part.setdefault((user[0], zlib.crc32(user[1].encode()) % PARTS), []).append(said)
        for (app_id, part), of_part in by_part.items():
            for at in range(0, len(of_part), MOST):
                words = [word for one in of_part[at : at + MOST] for word in one]
                yield await self._run(app_id, part, [*head, *words])

    async def _run(self, app_id: UUID, part: int, args: list[Any]) -> list[Standing]:
        name = f"{self._prefix}{{{app_id.hex}.{part}}}"
        try:
            async with asyncio.timeout(PATIENCE):
                flat: list[Any] = await self._script([name, f"{name}:deadlines"], args)
        except (*REDIS_ERRORS, TimeoutError) as error:
            raise Away(repr(error)) from error
        told = [word.decode() if isinstance(word, bytes) else str(word) for word in flat]
        return [
            Standing(
                (app_id, told[i]), told[i + 1], told[i + 2], int(told[i + 3]), told[i + 4] or "online",
                int(told[i + 5]), told[i + 6] == "1",
            )
            for i in range(0, len(told), _FIELDS)
        ]  # fmt: skip
