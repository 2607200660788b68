"""What a plan grants an app."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.entitlements.due import mark_due
from kernel.clock import month_of
from kernel.contracts import Meter, OverLimit, RateLimit

METERS: Final[tuple[Meter, ...]] = get_args(Meter)


@dataclass(frozen=True, slots=True)
class Grant:
    """Units of one meter in a month (`None`: unlimited), and what happens beyond them."""

    meter: Meter
    included: int | None
    over: OverLimit


@dataclass(frozen=True, slots=True)
class PlanGrant:
    """A version of a plan as entitlements: one grant a meter, and the rates that are not the nodes' defaults."""

    plan: str
    version: int
    grants: tuple[Grant, ...]
    limits: tuple[RateLimit, ...] = ()

    def settings(self) -> dict[str, Any]:
        """What the app's own row keeps of it: rates have no standing, so they need no row of their own."""
        return {"limits": msgspec.to_builtins(self.limits)}


_WRITE = text(
    """
    insert into control.entitlements (app_id, meter, included, over, period, published_at)
    values (:app_id, :meter, cast(:included as bigint), :over, :period, :now)
    on conflict (app_id, meter) do update set
        included = excluded.included,
        over = excluded.over
    """
)


async def write_grants(session: AsyncSession, app_id: UUID, grants: Sequence[Grant], *, now: datetime) -> None:
    """Set the limits of an app and have its standing against them computed.

    The caller has advanced the configuration version and stamps the app with it.
    """
    for grant in sorted(grants, key=lambda grant: grant.meter):
        values = {
            "app_id": app_id,
            "meter": grant.meter,
            "included": grant.included,
            "over": grant.over,
            "period": month_of(now),
            "now": now,
        }
        await session.execute(_WRITE, values)
    await mark_due(session, [app_id], at=now)
