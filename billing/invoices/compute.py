"""An organization's lines of a month, as usage was known at a cut.

Rows of the ledger are only added and carry the time at which they were received; so the same cut gives the same
lines for ever. What arrives after the cut of a month that is closed becomes an adjustment of the next invoice: the
difference of what the month costs by both cuts.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.invoices.charges import Line, charges, usage_lines
from billing.plans import Catalog, load_catalog
from billing.terms import Fact, load_organization
from billing.usage.periods import month_bounds
from billing.usage.recompute import count
from billing.usage.rollup import month_totals
from kernel.clock import month_of

# The interval is the partial index's. A month's cut is later than that after its end.
_LATE = text(
    """
    select distinct app_id, meter, to_char(at at time zone 'UTC', 'YYYY-MM') as month from control.usage_ledger
    where app_id = any(cast(:apps as uuid[])) and received_at > :before and received_at <= :cut and at < :begin
        and received_at - at > interval '30 minutes'
    """
)
_CLOSED = text(
    "select month, cut from control.billing_months "
    "where organization_id = :organization and month < :month order by month"
)


async def lines_of(
    session: AsyncSession, organization_id: UUID, month: str, *, cut: datetime, live: bool = False
) -> list[Line]:
    """The lines of a month, by app in the order in which apps were made; adjustments of closed months at the end.

    `live`: take quantities from the rollup, which says the same at once; for previews.
    """
    catalog = load_catalog()
    apps = await load_organization(session, organization_id, cut)
    lines: list[Line] = []
    for app_id in sorted(apps):
        used = await (month_totals(session, app_id, month) if live else count(session, app_id, month, cut=cut))
        lines += charges(app_id, apps[app_id], month, used, catalog)
    return lines + await _adjustments(session, organization_id, apps, month, cut, catalog)


async def _adjustments(
    session: AsyncSession,
    organization_id: UUID,
    apps: Mapping[UUID, list[Fact]],
    month: str,
    cut: datetime,
    catalog: Catalog,
) -> list[Line]:
    closed = [
        (row.month, row.cut)
        for row in await session.execute(_CLOSED, {"organization": organization_id, "month": month})
    ]
    if not closed:
        return []
    before = closed[-1][1]
    begin, _ = month_bounds(month)
    values = {"apps": list(apps), "before": before, "cut": cut, "begin": begin}
    months = [each for each, _ in closed]
    touched: set[tuple[UUID, str]] = set()
    for row in await session.execute(_LATE, values):
        # What is stored stays stored: a change of an early month moves those after it too.
        reach = [row.month] if row.meter != "storage_bytes" else [each for each in months if each >= row.month]
        touched |= {(row.app_id, each) for each in reach if each in months}
    lines: list[Line] = []
    for app_id, late in sorted(touched):
        was = usage_lines(app_id, apps[app_id], late, await count(session, app_id, late, cut=before), catalog)
        now = usage_lines(app_id, apps[app_id], late, await count(session, app_id, late, cut=cut), catalog)
        for old, new in zip(was, now, strict=True):
            if old.quantity != new.quantity:
                lines.append(_difference(old, new))
    return lines


def _difference(old: Line, new: Line) -> Line:
    return Line(
        app_id=new.app_id,
        kind="adjustment",
        what=new.what,
        begin=new.begin,
        end=new.end,
        meter=new.meter,
        quantity=(new.quantity or 0) - (old.quantity or 0),
        beyond=(new.beyond or 0) - (old.beyond or 0),
        price=new.price,
        per=new.per,
        amount=new.amount - old.amount,
    )


def previous(month: str) -> str:
    """The month before."""
    return month_of(month_bounds(month)[0] - timedelta(days=1))
