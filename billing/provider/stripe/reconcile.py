"""Hold the ledger, Stripe's meters and the invoices against each other. The difference is nothing, or somebody is told.

For each app that has a subscription and each month that still matters:

- `<meter> rows`: what the ledger says, in packs, and what was planned for Stripe.
- `<meter> meter`: what Stripe took from us, and what its own sums say.
- `<meter> invoice`: the closed month's quantity, and the one on its invoice.
- `usage amount`, `plan amount`: the month by our statement, and by the lines of Stripe's invoices for that time. Of the
  plan, each line may be off by one minor unit, because each is rounded.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from billing.alerts.letters import system_context
from billing.invoices.document import decode
from billing.provider.stripe.catalog import event_name
from billing.provider.stripe.meters import HOUR, SETTLE, Meters, month_packs, sums
from billing.provider.stripe.subscriptions import SYSTEM, Seen, every_seen
from billing.usage.periods import month_bounds
from billing.usage.rollup import METERED
from control_plane import audit
from control_plane.context import Deps
from kernel.clock import month_of
from kernel.db import UnitOfWork
from kernel.ids import format_id
from kernel.outbox import Outbox

TOPIC: Final = "billing.difference"
MONTHS: Final = timedelta(days=70)
"""How far back it looks."""

_STATEMENT = text(
    "select document from control.stripe_statements where organization_id = :organization and month = :month"
)
_INVOICES = text(
    "select invoice_id, status, reason, period_begin, lines from control.stripe_invoices "
    "where app_id = :app and status in ('open', 'paid', 'uncollectible') order by created_at"
)
_OPEN = text(
    "select what, id from control.stripe_differences where app_id = :app and month = :month and resolved_at is null"
)
_FOUND = text(
    """
    insert into control.stripe_differences
        (id, organization_id, app_id, month, what, ledger, stripe, invoice, found_at)
    values (:id, :organization, :app, :month, :what, :ledger, :stripe, :invoice, :now) on conflict do nothing
    """
)
_RESOLVED = text("update control.stripe_differences set resolved_at = :now where id = :id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One comparison. `ledger`, `stripe`, `invoice` are `None` where there is nothing to compare; `tolerance` is what
    rounding may come to."""

    app_id: UUID
    organization_id: UUID
    month: str
    what: str
    ledger: int | None = None
    stripe: int | None = None
    invoice: int | None = None
    tolerance: int = 0

    @property
    def difference(self) -> int:
        """Between the greatest and the least."""
        values = [value for value in (self.ledger, self.stripe, self.invoice) if value is not None]
        return max(values) - min(values) if values else 0

    @property
    def agrees(self) -> bool:
        """Whether nobody need be told."""
        return self.difference <= self.tolerance

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        named = {"app_id": format_id("app", self.app_id), "organization_id": format_id("org", self.organization_id)}
        return asdict(self) | named | {"difference": self.difference, "agrees": self.agrees}


class Reconciler:
    """Compares and tells."""

    def __init__(self, deps: Deps, meters: Meters) -> None:
        self._deps = deps
        self._meters = meters

    async def run(self) -> list[Check]:
        """All comparisons. New differences are stored and told once, those that are gone are resolved.

        Raises `ProviderAway`.
        """
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            known = [each for each in await every_seen(uow.session) if each.began_at is not None]
        checks: list[Check] = []
        for each in known:
            for month in _months(each, now):
                made = await self.check(each, month)
                await self._note(each, month, made)
                checks += made
        return checks

    async def check(self, known: Seen, month: str) -> list[Check]:
        """One app's month."""
        now = self._deps.clock.now()
        before = (now - SETTLE).replace(minute=0, second=0, microsecond=0)
        _, end = month_bounds(month)
        common: dict[str, Any] = {"app_id": known.app_id, "organization_id": known.organization_id, "month": month}
        checks: list[Check] = []
        async with self._deps.database.unit_of_work(snapshot=True) as uow:
            grown = await month_packs(uow.session, known.organization_id, known.app_id, month, before=before)
            sent = {meter: await sums(uow.session, known.app_id, meter, month) for meter in METERED}
            values = {"organization": known.organization_id, "month": month}
            written = await uow.session.scalar(_STATEMENT, values)
            invoices = (await uow.session.execute(_INVOICES, {"app": known.app_id})).all()
        final = next((one for one in invoices if _closes(one, month)), None)
        lines = [line for one in invoices for line in one.lines]
        for meter in METERED:
            ledger, rows = sum(grown[meter].values()), sent[meter]
            planned = rows.accepted + rows.adjusted + rows.waiting
            checks.append(Check(**common, what=f"{meter} rows", ledger=ledger, stripe=planned))
            if not rows.open:
                begin, _ = month_bounds(month)
                event = event_name(meter, known.slot)
                # Whole hours, up to the one that runs.
                until = min(end, now.replace(minute=0, second=0, microsecond=0) + HOUR)
                counted = await self._meters.summary(event, known.customer_id or "", begin, until)
                checks.append(Check(**common, what=f"{meter} meter", ledger=rows.accepted, stripe=counted))
            billed = [line for line in lines if line["meter"] == meter and line["month"] == month]
            if final is not None and written is not None and billed:
                quantity = sum(line["quantity"] or 0 for line in billed)
                checks.append(Check(**common, what=f"{meter} invoice", ledger=rows.accepted, invoice=quantity))
        if final is not None and written is not None:
            checks += _amounts(common, month, decode(written).lines, lines, format_id("app", known.app_id))
        return checks

    async def _note(self, known: Seen, month: str, checks: Sequence[Check]) -> None:
        wrong = {check.what: check for check in checks if not check.agrees}
        looked = {check.what for check in checks}
        async with self._deps.database.unit_of_work() as uow:
            ctx = system_context(self._deps, uow, actor=SYSTEM)
            rows = await ctx.session.execute(_OPEN, {"app": known.app_id, "month": month})
            before = {row.what: row.id for row in rows}
            for what, row_id in before.items():
                if what in looked and what not in wrong:
                    await ctx.session.execute(_RESOLVED, {"id": row_id, "now": ctx.now})
            for what, check in wrong.items():
                if what not in before:
                    await self._tell(uow, known, check, ctx.ids.uuid7(), ctx.now)
                    await audit.record(
                        ctx,
                        "billing.difference_found",
                        format_id("app", known.app_id),
                        organization_id=known.organization_id,
                        app_id=known.app_id,
                        month=month,
                        what=what,
                        ledger=check.ledger,
                        stripe=check.stripe,
                        invoice=check.invoice,
                    )

    async def _tell(self, uow: UnitOfWork, known: Seen, check: Check, row_id: UUID, now: datetime) -> None:
        values = {
            "id": row_id,
            "organization": known.organization_id,
            "app": known.app_id,
            "month": check.month,
            "what": check.what,
            "ledger": check.ledger,
            "stripe": check.stripe,
            "invoice": check.invoice,
            "now": now,
        }
        await uow.session.execute(_FOUND, values)
        await Outbox("control").put(uow, TOPIC, check.as_dict(), now=now)


def _closes(invoice: Any, month: str) -> bool:
    """The invoice on which a month's usage stands."""
    return any(line["month"] == month for line in invoice.lines)


def _amounts(
    common: dict[str, Any], month: str, ours: Sequence[Any], theirs: Sequence[dict[str, Any]], app: str
) -> list[Check]:
    own = [line for line in ours if line.app.id == app]
    usage = sum(line.amount for line in own if line.kind == "usage")
    plan = [line.amount for line in own if line.kind in ("plan", "addon")]
    billed = sum(line["amount"] for line in theirs if line["meter"] and line["month"] == month)
    # What an invoice had too little of is an item on the next.
    billed += sum(line["amount"] for line in theirs if _makes_good(line["adjustment"], app, month))
    licensed = [
        line["amount"]
        for line in theirs
        if not line["meter"] and line["key"] and month_of(datetime.fromtimestamp(line["begin"], UTC)) == month
    ]
    return [
        Check(**common, what="usage amount", ledger=usage, invoice=billed),
        Check(
            **common, what="plan amount", ledger=sum(plan), invoice=sum(licensed), tolerance=len(plan) + len(licensed)
        ),
    ]


def _makes_good(adjustment: str | None, app: str, month: str) -> bool:
    words = (adjustment or "").split()
    return len(words) == 4 and (words[0], words[1], words[3]) == ("short", app, month)


def _months(known: Seen, now: datetime) -> list[str]:
    assert known.began_at is not None
    month, last = month_of(max(known.began_at, now - MONTHS)), month_of(min(known.ended_at or now, now))
    months = []
    while month <= last:
        months.append(month)
        month = month_of(month_bounds(month)[1])
    return months
