"""Closes months: an hour after a month's end each organization's invoice is made, numbered and final.

One transaction an organization and month. Its key is the row of `billing_months`, so that any number of workers may run
this, be killed anywhere and begin again: a month is closed once. Numbers come from a row that stays locked until the
commit, so that they have no gaps; it is taken last, to be held shortly.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.alerts.letters import recipients, system_context
from billing.coupons import redeemed
from billing.credits import ledger as credits
from billing.invoices.charges import Line
from billing.invoices.compute import lines_of, previous
from billing.invoices.document import Document, Drawn, Head, Named, Party, compose, digest, number_text, party
from billing.money import amount_text
from billing.plans import load_catalog
from billing.usage.periods import month_bounds
from control_plane import audit, mail
from control_plane.context import Context, Deps
from control_plane.organizations.details import billing_details
from kernel.clock import month_of, rfc3339
from kernel.ids import format_id
from kernel.logging import get_logger
from kernel.settings import Settings

GRACE: Final = timedelta(hours=1)
"""From a month's end until it is closed: time for what nodes and relays still hold."""
SETTLED: Final = timedelta(minutes=5)
"""How long before its closing a month's cut lies: whatever was received by then is committed, or never will be."""
PERIOD: Final = 60.0
_BATCH: Final = 100

_DUE = text(
    """
    select t.organization_id, to_char(min(t.created_at) at time zone 'UTC', 'YYYY-MM') as first,
        (select max(b.month) from control.billing_months b where b.organization_id = t.organization_id) as last
    from control.terms t join control.organizations o on o.id = t.organization_id
    where o.erased_at is null and not exists (select from control.billing_months b
                      where b.organization_id = t.organization_id and b.month = :month)
    group by 1 having to_char(min(t.created_at) at time zone 'UTC', 'YYYY-MM') <= :month order by 1 limit :n
    """
)
_LOCK = text("select pg_advisory_xact_lock(hashtextextended('billing ' || :organization, 0))")
_CLOSED = text("select 1 from control.billing_months where organization_id = :organization and month = :month")
_NAMES = text("select id, name from control.apps where organization_id = :organization")
_ORGANIZATION = text("select name from control.organizations where id = :organization")
_NUMBER = text("update control.invoice_counter set last = last + 1 returning last")
_INVOICE = text(
    """
    insert into control.invoices
        (id, organization_id, month, number, currency, total, document, digest, cut, finalized_at)
    values (:id, :organization, :month, :number, :currency, :total, :document, :digest, :cut, :now)
    """
)
_STATEMENT = text(
    """
    insert into control.stripe_statements (organization_id, month, currency, total, document, digest, cut, made_at)
    values (:organization, :month, :currency, :total, :document, :digest, :cut, :now)
    """
)
_DONE = text(
    "insert into control.billing_months (organization_id, month, cut, closed_at, invoice_id) "
    "values (:organization, :month, :cut, :now, :invoice)"
)

_log = get_logger(__name__)


class Closer:
    """The worker's job."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def step(self) -> int:
        """Close what is due, the oldest month of each organization first; returns how many months were closed."""
        now = self._deps.clock.now()
        newest = previous(month_of(now - GRACE))
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            due = (await uow.session.execute(_DUE, {"month": newest, "n": _BATCH})).all()
        done = 0
        for row in due:
            month = row.first if row.last is None else _next(row.last)
            while month <= newest:
                if not await self._close(row.organization_id, month):
                    break
                done += 1
                month = _next(month)
        return done

    async def run(self) -> None:
        """Step every minute, at once while there is work. Runs until it is cancelled."""
        while True:
            try:
                if await self.step():
                    continue
            except Exception:
                _log.exception("billing.closing_failed")
            await asyncio.sleep(PERIOD)

    async def _close(self, organization_id: UUID, month: str) -> bool:
        try:
            async with self._deps.database.unit_of_work() as uow:
                return await _close_month(system_context(self._deps, uow), organization_id, month)
        except Exception:
            # One organization's trouble must not hold up the others; the next round tries again.
            _log.exception("billing.close_failed", organizationId=str(organization_id), month=month)
            return False


async def _close_month(ctx: Context, organization_id: UUID, month: str) -> bool:
    session, values = ctx.session, {"organization": organization_id, "month": month}
    await session.execute(_LOCK, {"organization": str(organization_id)})
    # A statement of its own after the lock: it sees what the previous holder did.
    if await session.scalar(_CLOSED, values) is not None:
        return True
    cut = ctx.now - SETTLED
    lines = await lines_of(session, organization_id, month, cut=cut)
    invoice_id: UUID | None = None
    if ctx.settings.billing == "stripe":
        # The invoice is Stripe's. Ours is kept beside it, without a number, to be held against it; credits are a
        # balance there.
        await _state(ctx, organization_id, month, cut, lines)
    elif any(line.amount or line.kind == "adjustment" or (line.kind == "plan" and line.price) for line in lines):
        invoice_id = ctx.ids.uuid7()
        subtotal = sum(line.amount for line in lines)
        _, end = month_bounds(month)
        # What was there when the month ended can be used for it, also if it has expired since.
        taken = await credits.debit(
            session, organization_id, max(0, subtotal), invoice_id=invoice_id, now=ctx.now, as_of=end
        )
        drawn = [Drawn(credit.id, credit.reason, used) for credit, used in taken]
        coupons = await redeemed(session, organization_id, cut=cut)
        number: int = (await session.execute(_NUMBER)).scalar_one()
        catalog = load_catalog()
        head = Head(
            number=number_text(number),
            organization=await _organization(session, organization_id),
            month=month,
            currency=catalog.currency,
            cut=cut,
            finalized_at=ctx.now,
            customer=await customer(session, organization_id),
            seller=seller(ctx.settings),
        )
        document = compose(head, lines, await app_names(session, organization_id), drawn, coupons, catalog.tax)
        await _store(ctx, organization_id, invoice_id, number, document)
    if ctx.settings.billing != "stripe":
        await credits.expire(session, organization_id, now=ctx.now)
    await session.execute(_DONE, values | {"cut": cut, "now": ctx.now, "invoice": invoice_id})
    return True


async def _state(ctx: Context, organization_id: UUID, month: str, cut: datetime, lines: list[Line]) -> None:
    session, catalog = ctx.session, load_catalog()
    head = Head(
        number="",
        organization=await _organization(session, organization_id),
        month=month,
        currency=catalog.currency,
        cut=cut,
        finalized_at=ctx.now,
    )
    coupons = await redeemed(session, organization_id, cut=cut)
    document = compose(head, lines, await app_names(session, organization_id), [], coupons, catalog.tax)
    written = document.encode()
    values = {
        "organization": organization_id,
        "month": month,
        "currency": document.currency,
        "total": document.total,
        "document": written,
        "digest": digest(written),
        "cut": cut,
        "now": ctx.now,
    }
    await session.execute(_STATEMENT, values)


async def _store(ctx: Context, organization_id: UUID, invoice_id: UUID, number: int, document: Document) -> None:
    session, written = ctx.session, document.encode()
    values = {
        "id": invoice_id,
        "organization": organization_id,
        "month": document.month,
        "number": number,
        "currency": document.currency,
        "total": document.total,
        "document": written,
        "digest": digest(written),
        "cut": datetime.fromisoformat(document.cut),
        "now": ctx.now,
    }
    await session.execute(_INVOICE, values)
    public_id = format_id("inv", invoice_id)
    if document.carried:
        reason = f"Carried over from invoice {document.number}"
        await credits.grant_credit(ctx, organization_id, document.carried, reason=reason)
    await audit.record(
        ctx,
        "invoice.finalized",
        public_id,
        organization_id=organization_id,
        number=document.number,
        month=document.month,
        total=document.total,
        currency=document.currency,
        cut=rfc3339(values["cut"]),
    )
    path = f"/organizations/{document.organization.id}/invoices/{public_id}"
    for to in await recipients(session, organization_id):
        letter = mail.invoice_ready(
            ctx.settings,
            to=to,
            organization=document.organization.name,
            month=month_bounds(document.month)[0].strftime("%B %Y"),
            number=document.number,
            total=amount_text(document.total, document.currency),
            path=path,
        )
        mail.post(ctx, letter)


async def customer(session: AsyncSession, organization_id: UUID) -> Party | None:
    """Who the organization is on an invoice that is made now; `None` when it has not told."""
    told = await billing_details(session, organization_id)
    return party(told.company, told.address.splitlines(), told.tax_number)


def seller(settings: Settings) -> Party | None:
    """Who invoices are from; `None` where the installation does not say."""
    lines = (line.strip() for line in settings.seller_address.replace(";", "\n").splitlines())
    return party(settings.seller_name, [line for line in lines if line], settings.seller_tax_number)


async def app_names(session: AsyncSession, organization_id: UUID) -> dict[str, str]:
    """The names of an organization's apps by public id."""
    rows = await session.execute(_NAMES, {"organization": organization_id})
    return {format_id("app", row.id): row.name for row in rows}


async def _organization(session: AsyncSession, organization_id: UUID) -> Named:
    name: str = (await session.execute(_ORGANIZATION, {"organization": organization_id})).scalar_one()
    return Named(id=format_id("org", organization_id), name=name)


def _next(month: str) -> str:
    return month_of(month_bounds(month)[1])
