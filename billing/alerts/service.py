"""Notice that thresholds are passed, in the transaction that writes the standing.

The table's key is what makes an alert happen once, whoever looks and however often. What follows from it is an
outbox row of the same transaction, so that no crash loses it: mail now, webhooks when there are some.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.usage.spend import Spend
from control_plane.entitlements import METERS
from kernel.clock import rfc3339
from kernel.db import UnitOfWork
from kernel.ids import format_id
from kernel.outbox import Outbox

TOPIC: Final = "usage.alert"
BUDGET: Final = "budget"

_RAISE = text(
    """
    insert into control.usage_alerts (app_id, period, subject, limit_amount, threshold, used, at)
    select :app, :period, :subject, :limit, t, :used, :now from unnest(cast(:thresholds as int[])) t order by t
    on conflict do nothing returning threshold
    """
)
_LIST = text(
    "select period, subject, limit_amount, threshold, used, at from control.usage_alerts "
    "where app_id = :app and period = :period order by at desc, threshold desc"
)


@dataclass(frozen=True, slots=True)
class Alert:
    """A threshold in per cent of a limit that was passed. Of the budget, `limit` and `used` are minor units."""

    period: str
    subject: str
    limit: int
    threshold: int
    used: int
    at: datetime


async def raise_alerts(uow: UnitOfWork, app_id: UUID, spend: Spend, *, now: datetime) -> list[Alert]:
    """Raise what is passed and was not raised before; returns that. Of several of one limit the highest is mailed."""
    raised = []
    for subject, used, limit in _measured(spend):
        passed = [threshold for threshold in spend.terms.thresholds if used * 100 >= limit * threshold]
        if not passed:
            continue
        values = {
            "app": app_id,
            "period": spend.month,
            "subject": subject,
            "limit": limit,
            "used": used,
            "now": now,
            "thresholds": passed,
        }
        fresh = sorted((await uow.session.execute(_RAISE, values)).scalars())
        for threshold in fresh:
            alert = Alert(spend.month, subject, limit, threshold, used, now)
            raised.append(alert)
            await Outbox("control").put(uow, TOPIC, _payload(app_id, alert, mail=threshold == fresh[-1]), now=now)
    return raised


async def list_alerts(session: AsyncSession, app_id: UUID, period: str) -> list[Alert]:
    """Those of a month, the newest first."""
    rows = await session.execute(_LIST, {"app": app_id, "period": period})
    return [Alert(*row) for row in rows]


def _measured(spend: Spend) -> Iterable[tuple[str, int, int]]:
    for meter in METERS:
        included = spend.terms.meters[meter].included
        if included:
            yield meter, spend.used.get(meter, 0), included
    if spend.terms.budget is not None:
        yield BUDGET, spend.amount, spend.terms.budget.amount


def _payload(app_id: UUID, alert: Alert, *, mail: bool) -> dict[str, object]:
    return {
        "app_id": format_id("app", app_id),
        "period": alert.period,
        "subject": alert.subject,
        "limit": alert.limit,
        "threshold": alert.threshold,
        "used": alert.used,
        "at": rfc3339(alert.at),
        "mail": mail,
    }
