"""Whether a revocation has reached the nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import placement
from control_plane.placement import LiveNode


@dataclass(frozen=True, slots=True)
class Revocation:
    """`pending` while a live node may still accept the key; `waiting_for` names those nodes."""

    state: Literal["pending", "applied"]
    waiting_for: tuple[str, ...]


async def state(session: AsyncSession, *, shard: str, revoked_version: int, now: datetime) -> Revocation:
    """How far a revocation has come on the live nodes of a shard.

    A node that cannot reach the control plane goes on with what it knows and is not live, so it is not waited for:
    to cut such a node off, stop it.
    """
    return judge(await placement.live_nodes(session, shard, now=now), revoked_version)


def judge(nodes: Sequence[LiveNode], revoked_version: int) -> Revocation:
    """The same, of nodes that are known already."""
    waiting = tuple(node.name for node in nodes if node.applied_version < revoked_version)
    return Revocation("pending" if waiting else "applied", waiting)
