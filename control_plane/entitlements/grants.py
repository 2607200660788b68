"""What a plan grants an app."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

import msgspec
from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import configuration
from control_plane.apps.models import App
from control_plane.entitlements.due import mark_due
from control_plane.entitlements.features import Feature
from control_plane.entitlements.models import Entitlement
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
    """What is granted to an app: one grant a meter, the rates that are not the nodes' defaults, the named features."""

    plan: str
    version: int
    grants: tuple[Grant, ...]
    limits: tuple[RateLimit, ...] = ()
    features: dict[str, Feature] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What the app's own row keeps of it: these have no standing, so they need no row of their own."""
        return {"limits": [msgspec.to_builtins(limit) for limit in self.limits], "features": dict(self.features)}


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


async def apply(session: AsyncSession, app_id: UUID, grant: PlanGrant, *, now: datetime) -> bool:
    """Let an app have exactly this, and its nodes hear of it; false when it has it already and nothing was written.

    What it has used stays. Raises `NotFound`.
    """
    if await _has(session, app_id, grant):
        return False
    await configuration.touch(session, app_id)
    app = (await session.execute(_app(app_id))).scalar_one()
    app.plan, app.plan_version = grant.plan, grant.version
    app.settings = {**app.settings, **grant.settings()}
    await session.flush()
    await write_grants(session, app_id, grant.grants, now=now)
    return True


async def _has(session: AsyncSession, app_id: UUID, grant: PlanGrant) -> bool:
    app = (await session.execute(_app(app_id))).scalar_one_or_none()
    if app is None or (app.plan, app.plan_version) != (grant.plan, grant.version):
        return False
    if any(app.settings.get(name) != value for name, value in grant.settings().items()):
        return False
    rows = await session.execute(
        select(Entitlement.meter, Entitlement.included, Entitlement.over).where(Entitlement.app_id == app_id)
    )
    return {tuple(row) for row in rows} == {(one.meter, one.included, one.over) for one in grant.grants}


def _app(app_id: UUID) -> Select[App]:
    return select(App).where(App.id == app_id).execution_options(populate_existing=True)
