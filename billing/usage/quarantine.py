"""Let quarantined usage into the ledger, once a person has looked at it."""

from datetime import datetime

from sqlalchemy import select, text

from billing.usage import ledger, rollup
from billing.usage.ledger import Entry
from control_plane import audit, entitlements
from control_plane.apps.models import App
from control_plane.context import Context
from kernel.clock import rfc3339
from kernel.errors import NotFound
from kernel.ids import format_id

_TAKE = text(
    """
    select app_id, meter, quantity, subject, received_at, at from control.usage_quarantine
    where source = :source and boot = :boot and seq = :seq and reason = 'time' and released_at is null for update
    """
)
_RELEASED = text(
    "update control.usage_quarantine set released_at = :now "
    "where source = :source and boot = :boot and seq = :seq and reason = 'time'"
)


async def release_quarantined(ctx: Context, *, source: str, boot: str, seq: int, at: datetime | None = None) -> Entry:
    """Count a row whose time was not believed, at `at` or else at the time it was received.

    Rows that contradict one in the ledger cannot be released: the ledger has a row of that name. Raises `NotFound`.
    """
    key = {"source": source, "boot": boot, "seq": seq}
    row = (await ctx.session.execute(_TAKE, key)).one_or_none()
    if row is None:
        raise NotFound("No row of that name waits in quarantine for its time.")
    entry = Entry(
        seq=seq,
        app_id=row.app_id,
        meter=row.meter,
        quantity=row.quantity,
        at=at or row.received_at,
        subject=row.subject,
    )
    fresh = await ledger.append_believed(ctx.session, source, boot, [entry], now=ctx.now)
    await rollup.roll_up(ctx.session, source, fresh)
    await ctx.session.execute(_RELEASED, {**key, "now": ctx.now})
    await entitlements.mark_due(ctx.session, [entry.app_id], at=ctx.now)
    await audit.record(
        ctx,
        "usage.released",
        f"{source} {boot} {seq}",
        organization_id=await ctx.session.scalar(select(App.organization_id).where(App.id == entry.app_id)),
        app_id=entry.app_id,
        app=format_id("app", entry.app_id),
        reported_at=rfc3339(row.at),
        counted_at=rfc3339(entry.at),
    )
    return entry
