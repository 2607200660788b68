"""Where an app stands in the current month, and when nodes must hear of it.

A node fetches an app again whenever its version moves, so a version for every message would flood the fleet. Nodes
hear at once when a limit is reached or left, and of 1 % of it; of smaller moves every 10 s; of meters without a
limit, along with the others only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import configuration
from control_plane.entitlements.models import Entitlement
from kernel.clock import month_of

REPUBLISH: Final = timedelta(seconds=10)

_LOCK = text("select pg_advisory_xact_lock(hashtextextended('standings ' || :app_id, 0))")


@dataclass(frozen=True, slots=True)
class Standing:
    """What was written: whether nodes hear of it, or else when the caller must come back to tell them."""

    published: bool
    look_again_at: datetime | None


def is_exceeded(meter: str, used: int, included: int | None) -> bool:
    """Whether nothing more fits. Messages, users and bytes add up: at the limit the next one is too many. A peak of
    connections is a level: standing at the limit is within the plan."""
    if included is None:
        return False
    return used > included if meter == "peak_connections" else used >= included


async def read(session: AsyncSession, app_id: UUID, *, lock_rows: bool = False) -> list[Entitlement]:
    """The app's entitlements by meter, as stored; `period` may be a past month."""
    query = select(Entitlement).where(Entitlement.app_id == app_id).order_by(Entitlement.meter)
    if lock_rows:
        query = query.with_for_update()
    return list((await session.execute(query.execution_options(populate_existing=True))).scalars())


async def outdated(session: AsyncSession, *, now: datetime, limit: int) -> list[UUID]:
    """Apps whose stored standing is of another month than this one."""
    rows = await session.execute(
        select(Entitlement.app_id).where(Entitlement.period != month_of(now)).distinct().limit(limit)
    )
    return list(rows.scalars())


async def lock(session: AsyncSession, app_id: UUID) -> None:
    """Be the only writer of this app's standing until the commit. Call it before the totals are read: otherwise a
    slower writer could put an older total over a newer one."""
    await session.execute(_LOCK, {"app_id": str(app_id)})


async def write_standings(session: AsyncSession, app_id: UUID, used: Mapping[str, int], *, now: datetime) -> Standing:
    """Store what was used in the month of `now`, and give the app a new version if nodes should hear of it.

    The lock order is standing, configuration, rows. Limits that change meanwhile have put the app on the due list
    again, so a decision by the old ones lives for a moment only.
    """
    period = month_of(now)
    decision = _decide(await read(session, app_id), used, now=now)
    if decision.published:
        await configuration.touch(session, app_id)
    for row in await read(session, app_id, lock_rows=True):
        total = used.get(row.meter, 0)
        told = row.published_used if row.period == period or row.meter == "storage_bytes" else 0
        values = {
            "period": period,
            "used": total,
            "exceeded": is_exceeded(row.meter, total, row.included),
            "published_used": total if decision.published else told,
            "published_at": now if decision.published else row.published_at,
        }
        statement = update(Entitlement).where(Entitlement.app_id == app_id, Entitlement.meter == row.meter)
        await session.execute(statement.values(values).execution_options(synchronize_session=False))
    return decision


def _decide(rows: Sequence[Entitlement], used: Mapping[str, int], *, now: datetime) -> Standing:
    period = month_of(now)
    urgent, told_at = False, []
    for row in rows:
        total = used.get(row.meter, 0)
        exceeded = is_exceeded(row.meter, total, row.included)
        # A node ignores the standing of a past month, so one that is exceeded in two months running must be told.
        urgent |= exceeded != row.exceeded or (exceeded and row.period != period)
        current = row.period == period or row.meter == "storage_bytes"
        move = abs(total - (row.published_used if current else 0))
        if row.included is not None and move > 0:
            urgent |= move * 100 >= row.included
            told_at.append(row.published_at)
    if not told_at:
        return Standing(urgent, None)
    due = min(told_at) + REPUBLISH
    return Standing(True, None) if urgent or due <= now else Standing(False, due)
