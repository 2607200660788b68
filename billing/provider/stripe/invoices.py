"""The mirror of Stripe's invoices: the legal ones. Their lines of usage lead to our ledger by app, meter and month."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.alerts.letters import system_context
from billing.plans import load_catalog
from billing.provider.port import InvoiceLine, InvoiceStatus, ProviderInvoice
from billing.provider.stripe.catalog import pack_sizes
from billing.provider.stripe.client import Object, StripeApi, StripeRefused, moment
from billing.provider.stripe.commands import ask
from billing.provider.stripe.customers import organization_of
from billing.provider.stripe.subscriptions import SYSTEM
from control_plane import audit
from control_plane.context import Deps
from control_plane.entitlements import METERS
from kernel.clock import month_of
from kernel.errors import InvalidInput, NotFound
from kernel.ids import format_id, parse_id

CYCLE: Final = "subscription_cycle"

_COLUMNS: Final = (
    "invoice_id, number, app_id, status, currency, subtotal, tax, total, due, period_begin, period_end, created_at, "
    "finalized_at, paid_at, next_attempt_at, hosted_url, pdf_url, receipt_url, lines"
)
_FROM: Final = f"select {_COLUMNS} from control.stripe_invoices where organization_id = :organization"  # noqa: S608
_LIST = text(f"{_FROM} order by created_at desc, invoice_id limit :n")
_ONE = text(f"{_FROM} and invoice_id = :id")
_BEFORE = text("select status, fetched_at, receipt_url from control.stripe_invoices where invoice_id = :id")
_STORE = text(
    """
    insert into control.stripe_invoices (invoice_id, organization_id, app_id, subscription_id, number, status, reason,
        currency, subtotal, tax, total, due, period_begin, period_end, created_at, finalized_at, paid_at,
        next_attempt_at, hosted_url, pdf_url, receipt_url, lines, fetched_at)
    values (:id, :organization, :app, :subscription, :number, :status, :reason, :currency, :subtotal, :tax, :total,
        :due, :period_begin, :period_end, :created, :finalized, :paid, :next_attempt, :hosted, :pdf, :receipt,
        cast(:lines as jsonb), :asked)
    on conflict (invoice_id) do update set app_id = excluded.app_id, number = excluded.number,
        status = excluded.status, subtotal = excluded.subtotal, tax = excluded.tax, total = excluded.total,
        due = excluded.due, period_begin = excluded.period_begin, period_end = excluded.period_end,
        finalized_at = excluded.finalized_at, paid_at = excluded.paid_at, next_attempt_at = excluded.next_attempt_at,
        hosted_url = excluded.hosted_url, pdf_url = excluded.pdf_url,
        receipt_url = coalesce(excluded.receipt_url, stripe_invoices.receipt_url), lines = excluded.lines,
        fetched_at = excluded.fetched_at
    where stripe_invoices.fetched_at <= excluded.fetched_at
    returning invoice_id
    """
)
_GONE = text(
    "update control.stripe_invoices set status = 'void', due = 0, fetched_at = :asked "
    "where invoice_id = :id and fetched_at <= :asked and status = 'draft'"
)
_KEYS = text("select price_id, lookup_key from control.stripe_prices")
_APP = text("select app_id from control.stripe_subscriptions where subscription_id = :subscription")


async def listed(session: AsyncSession, organization_id: UUID, *, limit: int) -> list[ProviderInvoice]:
    """As they were last seen, the newest first."""
    rows = await session.execute(_LIST, {"organization": organization_id, "n": limit})
    return [_invoice(row) for row in rows]


async def one(session: AsyncSession, organization_id: UUID, invoice_id: str) -> ProviderInvoice:
    """Raises `NotFound`, also for another organization's."""
    values = {"organization": organization_id, "id": invoice_id}
    row = (await session.execute(_ONE, values)).one_or_none()
    if row is None:
        raise NotFound()
    return _invoice(row)


class Invoices:
    """Looks at them, and holds drafts until their usage is complete."""

    def __init__(self, deps: Deps, api: StripeApi) -> None:
        self._deps = deps
        self._api = api

    async def refresh(self, invoice_id: str) -> str | None:
        """Look and store; returns the subscription that it is for. Raises `ProviderAway`."""
        asked = self._deps.clock.now()
        v1 = self._api.v1
        try:
            invoice = await self._api.call(v1.invoices.retrieve_async, invoice_id)
        except StripeRefused as error:
            if not error.missing:
                raise
            async with self._deps.database.unit_of_work() as uow:
                await uow.session.execute(_GONE, {"id": invoice_id, "asked": asked})
            return None
        lines = invoice["lines"]["data"]
        if invoice["lines"]["has_more"]:
            lines = [line async for line in self._api.every(v1.invoices.line_items.list_async, invoice_id)]
        receipt = await self._receipt(invoice)
        return await self._store(invoice, lines, receipt, asked)

    async def _store(self, invoice: Object, lines: list[Object], receipt: str | None, asked: datetime) -> str | None:
        about = ((invoice.get("parent") or {}).get("subscription_details")) or {}
        subscription = about.get("subscription")
        async with self._deps.database.unit_of_work() as uow:
            ctx = system_context(self._deps, uow, actor=SYSTEM)
            organization_id = await organization_of(ctx.session, invoice["customer"])
            if organization_id is None:
                return None
            keys = {row.price_id: row.lookup_key for row in await ctx.session.execute(_KEYS)}
            app_id = await self._app(ctx.session, about)
            before = (await ctx.session.execute(_BEFORE, {"id": invoice["id"]})).one_or_none()
            turned = invoice.get("status_transitions") or {}
            values = {
                "id": invoice["id"],
                "organization": organization_id,
                "app": app_id,
                "subscription": subscription,
                "number": invoice.get("number"),
                "status": invoice["status"],
                "reason": invoice.get("billing_reason"),
                "currency": invoice["currency"],
                "subtotal": invoice["subtotal"],
                "tax": sum(tax["amount"] for tax in invoice.get("total_taxes") or []),
                "total": invoice["total"],
                "due": invoice["amount_remaining"],
                "period_begin": moment(invoice["period_start"]),
                "period_end": moment(invoice["period_end"]),
                "created": moment(invoice["created"]),
                "finalized": moment(turned.get("finalized_at")),
                "paid": moment(turned.get("paid_at")),
                "next_attempt": moment(invoice.get("next_payment_attempt")),
                "hosted": invoice.get("hosted_invoice_url"),
                "pdf": invoice.get("invoice_pdf"),
                "receipt": receipt,
                "lines": msgspec.json.encode([_line(line, keys, app_id) for line in lines]).decode(),
                "asked": asked,
            }
            stored = (await ctx.session.execute(_STORE, values)).one_or_none()
            if stored is None:
                return str(subscription) if subscription else None
            if invoice["status"] == "draft" and invoice.get("billing_reason") == CYCLE and invoice.get("auto_advance"):
                await ask(ctx, organization_id, app_id, "hold", {}, subject=invoice["id"])
            if before is None or before.status != invoice["status"]:
                await audit.record(
                    ctx,
                    "invoice.seen",
                    invoice["id"],
                    organization_id=organization_id,
                    app_id=app_id,
                    number=invoice.get("number"),
                    status=invoice["status"],
                    total=invoice["total"],
                    currency=invoice["currency"],
                )
        return str(subscription) if subscription else None

    async def _app(self, session: AsyncSession, about: Object) -> UUID | None:
        try:
            return parse_id("app", (about.get("metadata") or {}).get("natter_app", ""))
        except InvalidInput:
            found: UUID | None = await session.scalar(_APP, {"subscription": about.get("subscription")})
            return found

    async def _receipt(self, invoice: Object) -> str | None:
        """The receipt of what was paid for it; a balance that covers it has none."""
        if invoice["status"] != "paid" or not invoice["amount_paid"]:
            return None
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            before = (await uow.session.execute(_BEFORE, {"id": invoice["id"]})).one_or_none()
        if before is not None and before.receipt_url is not None:
            return str(before.receipt_url)
        v1 = self._api.v1
        try:
            paid = await self._api.call(v1.invoice_payments.list_async, invoice=invoice["id"], status="paid")
            for each in paid["data"]:
                intent = (each.get("payment") or {}).get("payment_intent")
                if intent:
                    found = await self._api.call(v1.payment_intents.retrieve_async, intent, expand=["latest_charge"])
                    charge = found.get("latest_charge")
                    if isinstance(charge, dict) and charge.get("receipt_url"):
                        return str(charge["receipt_url"])
        except StripeRefused:
            # A restricted key may not see payments; the hosted page leads to the receipt as well.
            return None
        return None


def meter_of_key(key: str) -> str | None:
    """`natter:growth@3:mau…` as its meter; nothing of any other key."""
    parts = key.split(":")
    return parts[2] if len(parts) > 2 and parts[0] == "natter" and parts[2] in METERS else None


def _line(line: Object, keys: dict[str, str], app_id: UUID | None) -> dict[str, Any]:
    price = ((line.get("pricing") or {}).get("price_details") or {}).get("price")
    key = keys.get(price if isinstance(price, str) else (price or {}).get("id", ""), "")
    parent = line.get("parent") or {}
    detail = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    meter = meter_of_key(key)
    begin = datetime.fromtimestamp(line["period"]["start"], UTC)
    return {
        "id": line["id"],
        "text": line.get("description") or "",
        "amount": line["amount"],
        "begin": line["period"]["start"],
        "end": line["period"]["end"],
        "quantity": line.get("quantity"),
        "key": key,
        "app": format_id("app", app_id) if app_id is not None and meter else None,
        "meter": meter,
        "month": month_of(begin) if meter else None,
        "proration": bool(detail.get("proration")),
        "adjustment": (line.get("metadata") or {}).get("natter_adjustment"),
    }


def _invoice(row: Any) -> ProviderInvoice:
    sizes = pack_sizes(load_catalog())
    status: InvoiceStatus = row.status
    return ProviderInvoice(
        id=row.invoice_id,
        number=row.number,
        app_id=row.app_id,
        status=status,
        currency=row.currency,
        subtotal=row.subtotal,
        tax=row.tax,
        total=row.total,
        due=row.due,
        begin=row.period_begin,
        end=row.period_end,
        created_at=row.created_at,
        finalized_at=row.finalized_at,
        paid_at=row.paid_at,
        next_attempt_at=row.next_attempt_at,
        hosted_url=row.hosted_url,
        pdf_url=row.pdf_url,
        receipt_url=row.receipt_url,
        lines=tuple(
            InvoiceLine(
                text=line["text"],
                amount=line["amount"],
                begin=datetime.fromtimestamp(line["begin"], UTC),
                end=datetime.fromtimestamp(line["end"], UTC),
                quantity=line["quantity"],
                app_id=parse_id("app", line["app"]) if line["app"] else None,
                meter=line["meter"],
                per=sizes.get(line["meter"]) if line["meter"] else None,
                month=line["month"],
                proration=line["proration"],
            )
            for line in row.lines
        ),
    )
