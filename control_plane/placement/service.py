"""Choose shards, know nodes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.apps.models import App
from control_plane.credentials.models import Credential
from kernel.errors import InvalidInput
from kernel.settings import Settings

LIVE_FOR: Final = timedelta(seconds=30)
"""A node that asked for snapshots this recently is live. More than the longest poll (25 s)."""


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
    rows = await session.execute(select(App.shard, func.count()).where(App.status != "deleted").group_by(App.shard))
    apps: dict[str, int] = {shard: count for shard, count in rows}
    return min(known, key=lambda shard: apps.get(shard, 0))


async def live_nodes(session: AsyncSession, shard: str, *, now: datetime) -> list[LiveNode]:
    """The shard's nodes that asked for snapshots in the last 30 s, by name."""
    rows = await session.execute(
        select(Credential.name, Credential.public_url, Credential.applied_version)
        .where(
            Credential.kind == "node",
            Credential.shard == shard,
            Credential.revoked_at.is_(None),
            Credential.last_seen_at > now - LIVE_FOR,
        )
        .order_by(Credential.name)
    )
    return [LiveNode(name, url, applied or 0) for name, url, applied in rows]
