"""Choose shards, know nodes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import InvalidInput
from kernel.settings import Settings

LIVE_FOR: Final = timedelta(seconds=30)
"""A node that asked for snapshots this recently is live. More than the longest poll (25 s)."""

# Functions, because a page sees the apps of one organization only, and no credentials; it may know these numbers.
_LOADS = text("select shard, apps from control.shard_loads()")
_LIVE = text("select name, url, applied_version from control.live_nodes(:shard, cast(:since as timestamptz))")


@dataclass(frozen=True, slots=True)
class LiveNode:
    """A node that serves a shard now, and the configuration version that it has applied."""

    name: str
    url: str | None
    applied_version: int


async def choose_shard(session: AsyncSession, settings: Settings, *, wanted: str | None = None) -> str:
    """The wanted shard, or the configured one with the fewest apps. Raises `InvalidInput` for an unknown one."""
    known = [shard.id for shard in settings.all_shards()]
    if wanted is not None:
        if wanted not in known:
            raise InvalidInput(
                f"There is no shard {wanted!r}; the configured ones are {', '.join(known)}.", field="shard"
            )
        return wanted
    apps: dict[str, int] = {row.shard: row.apps for row in await session.execute(_LOADS)}
    return min(known, key=lambda shard: apps.get(shard, 0))


async def live_nodes(session: AsyncSession, shard: str, *, now: datetime) -> list[LiveNode]:
    """The shard's nodes that asked for snapshots in the last 30 s, by name."""
    rows = await session.execute(_LIVE, {"shard": shard, "since": now - LIVE_FOR})
    return [LiveNode(row.name, row.url, row.applied_version) for row in rows]
