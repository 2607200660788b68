"""How many connections an app has at once, over all processes of its shard, against the plan's limit."""

from typing import Final
from uuid import UUID

from redis.asyncio import Redis, RedisCluster

from data_plane.tenancy.counts import ConnectionCounts
from data_plane.tenancy.quotas import find_quota, kept_for_users, quota_exceeded
from data_plane.tenancy.shared_counts import SharedCounts
from kernel.clock import Clock
from kernel.contracts import AppSnapshot
from kernel.ids import parse_id

KEPT_FOR_USERS: Final = 0.2
"""The part of a plan's connections that anonymous visitors leave free where the plan stops at its limit: they cost
nothing to be many of, and must not shut out an app's users."""


class ConnectionQuota:
    """Counts this process's connections by app and admits new ones while the plan allows."""

    def __init__(self, redis: Redis | RedisCluster, *, shard_id: str, node: str, clock: Clock) -> None:
        self.counts = ConnectionCounts(clock)
        """This process's own: what the limit is checked against, and what the peak meter is made of."""
        self._shared: SharedCounts[UUID] = SharedCounts(
            redis,
            process=node,
            clock=clock,
            own=self.local,
            name=lambda app_id: f"natter:{shard_id}:connections:{{{app_id.hex}}}",
        )

    def local(self, app_id: UUID) -> int:
        """Connections of the app in this process."""
        return self.counts[app_id]

    async def acquire(self, app: AppSnapshot, *, for_nobody: bool = False) -> None:
        """Count one connection more; `release` gives it back. Raises `QuotaExceeded` when the plan's limit is reached.

        The limit is the plan's and holds in any month; what the ledger has measured so far does not matter here. An
        anonymous visitor, `for_nobody`, is let in while more than `KEPT_FOR_USERS` of it is free.
        """
        app_id = parse_id("app", app.app_id)
        quota = find_quota(app, "peak_connections")
        if quota is not None and quota.limit is not None and quota.over == "stop":
            others = await self._shared.others(app_id)
            # No wait between here and the count below, or a burst would slip through.
            used = self.local(app_id) + others
            if used >= quota.limit:
                raise quota_exceeded(quota, used=used)
            if for_nobody and used >= quota.limit * (1 - KEPT_FOR_USERS):
                raise kept_for_users(quota, used=used)
        self.counts.add(app_id)
        self._shared.changed(app_id)

    def release(self, app_id: UUID) -> None:
        """A counted connection has ended."""
        if self.counts.remove(app_id):
            self._shared.changed(app_id)
        else:
            self._shared.left(app_id)

    async def run(self) -> None:
        """Tell the other processes this one's counts, for ever."""
        await self._shared.run(self.counts.as_dict)

    async def publish(self) -> None:
        """Write this process's counts of all apps."""
        await self._shared.publish(self.counts.as_dict())
