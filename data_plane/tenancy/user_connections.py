"""How many connections one user has at once, or the anonymous visitors at one address, over all processes of a shard,
against the node's setting.

The newest is refused: ending the oldest instead would let an app that connects once too often throw its user's other
devices off, which would come back and throw off the next. Almost nobody has more than a few, so a process looks at
Redis only for a user who holds a tenth of the limit in it already; so many may a process hold unseen by the others.
"""

from typing import Final, Literal
from uuid import UUID

from redis.asyncio import Redis, RedisCluster

from data_plane.tenancy.errors import TooManyConnections
from data_plane.tenancy.shared_counts import SharedCounts
from kernel.clock import Clock

User = tuple[UUID, str]
Who = Literal["user", "address"]
_TOO_MANY: Final[dict[Who, str]] = {
    "user": "This user has {limit} connections already, as many as one may have. Close some first.",
    "address": "Anonymous visitors have {limit} connections from your address already, as many as there may be.",
}


class UserConnections:
    """Counts this process's connections by user, or by address, and admits new ones while the limit allows."""

    def __init__(
        self,
        redis: Redis | RedisCluster,
        *,
        shard_id: str,
        process: str,
        clock: Clock,
        limit: int,
        who: Who = "user",
    ) -> None:
        self._limit = limit
        self._who: Who = who
        self._shared_from = limit // 10
        self._told_from = max(1, self._shared_from)  # of those who have fewer, others hear nothing
        self._counts: dict[User, int] = {}
        self._shared: SharedCounts[User] = SharedCounts(
            redis,
            process=process,
            clock=clock,
            own=self._own,
            name=lambda user: f"natter:{shard_id}:{who}-connections:{{{user[0].hex}:{user[1]}}}",
        )

    async def acquire(self, app_id: UUID, user_id: str) -> None:
        """Count one connection more; `release` gives it back. Raises `TooManyConnections`."""
        user = (app_id, user_id)
        others = await self._shared.others(user) if self._own(user) >= self._shared_from else 0
        # No wait between here and the count below, or a burst would slip through.
        if self._own(user) + others >= self._limit:
            raise TooManyConnections(_TOO_MANY[self._who].format(limit=self._limit), limit=self._limit)
        self._counts[user] = count = self._own(user) + 1
        if count >= self._told_from:
            self._shared.changed(user)

    def release(self, app_id: UUID, user_id: str) -> None:
        """A counted connection has ended."""
        user = (app_id, user_id)
        left = self._own(user) - 1
        if left > 0:
            self._counts[user] = left
        else:
            self._counts.pop(user, None)
        if left >= self._told_from:
            self._shared.changed(user)
        elif left + 1 == self._told_from:
            self._shared.left(user)

    async def run(self) -> None:
        """Tell the other processes this one's counts, for ever."""
        await self._shared.run(self._held)

    async def publish(self) -> None:
        """Write the counts of those users who have many connections here."""
        await self._shared.publish(self._held())

    def _held(self) -> list[User]:
        return [user for user, count in self._counts.items() if count >= self._told_from]

    def _own(self, user: User) -> int:
        return self._counts.get(user, 0)
