"""Invoices, bills and events put into the database as they stand, for tests of who may see them."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.invoices.charges import Line
from billing.invoices.document import Head, Named, compose, digest, number_text
from billing.plans import Tax
from billing.usage.periods import month_bounds
from kernel.ids import Ids, format_id

_NUMBER = "select coalesce(max(number), 0) + 1 as n from control.invoices"


async def plant_invoice(
    fetch: Callable[..., Awaitable[Any]],
    *,
    organization: tuple[UUID, str],
    app: tuple[UUID, str],
    month: str,
    now: datetime,
) -> str:
    """One with one line of usage; returns its public id. `fetch` runs SQL as whoever may do anything."""
    begin, end = month_bounds(month)
    line = Line(
        app_id=app[0], kind="usage", what="messages", begin=begin, end=end, amount=200, meter="messages",
        quantity=7, included=5, beyond=2, price=200, per=1_000_000,
    )  # fmt: skip
    number = (await fetch(_NUMBER))[0]["n"]
    head = Head(
        number=number_text(number),
        organization=Named(id=format_id("org", organization[0]), name=organization[1]),
        month=month,
        currency="usd",
        cut=now,
        finalized_at=now,
    )
    text = compose(head, [line], {format_id("app", app[0]): app[1]}, [], [], Tax()).encode()
    invoice = Ids().uuid7()
    await fetch(
        "insert into control.invoices values ($1, $2, $7, $3, 'usd', 200, $4, $5, $6, $6)",
        invoice, organization[0], number, text, digest(text), now, month,
    )  # fmt: skip
    return format_id("inv", invoice)


async def plant_dead_letter(
    fetch: Callable[..., Awaitable[Any]], event_id: str, *, now: datetime, error: str = "StripeRefused: no such price"
) -> None:
    """An event of Stripe that could not be worked off."""
    await fetch(
        "insert into control.stripe_events (event_id, type, object_id, created_at, received_at, state, attempts, "
        "due_at, last_error) values ($1, 'invoice.paid', 'in_1', $2, $2, 'dead', 10, $2, $3)",
        event_id, now, error,
    )  # fmt: skip


async def plant_refused(
    fetch: Callable[..., Awaitable[Any]],
    command_id: UUID,
    *,
    organization: UUID,
    now: datetime,
    error: str = "No such coupon: 'natter_SPRING'",
) -> None:
    """A command that Stripe refused."""
    await fetch(
        "insert into control.stripe_commands (id, organization_id, kind, params, key, state, actor, attempts, "
        "created_at, due_at, done_at, last_error) "
        "values ($1, $2, 'coupon', $5, $6, 'refused', 'system:stripe', 1, $3, $3, $3, $4)",
        command_id, organization, now, error, '{"code": "SPRING"}', f"natter-coupon-{command_id}",
    )  # fmt: skip


async def plant_bill(
    fetch: Callable[..., Awaitable[Any]],
    bill_id: str,
    *,
    organization: UUID,
    app: UUID,
    words: str,
    status: str = "open",
    now: datetime,
    url: str = "https://pay.example/bill",
) -> None:
    """An invoice of Stripe as it was last seen: the plan and what was used beyond it."""
    begin, end = month_bounds("2025-12")
    line = {"begin": begin.timestamp(), "end": end.timestamp(), "quantity": 1, "app": None, "meter": None}
    lines = [
        {**line, "text": f"Starter {words}", "amount": 9_900, "month": None, "proration": False},
        {
            **line, "text": f"Messages {words}", "amount": 400, "quantity": 2, "app": format_id("app", app),
            "meter": "messages", "month": "2025-12", "proration": False,
        },
    ]  # fmt: skip
    paid = now if status == "paid" else None
    await fetch(
        "insert into control.stripe_invoices (invoice_id, organization_id, app_id, number, status, currency, subtotal, "
        "tax, total, due, period_begin, period_end, created_at, finalized_at, paid_at, hosted_url, pdf_url, "
        "receipt_url, lines, fetched_at) "
        "values ($1, $2, $3, $4, $5, 'usd', 10300, 0, 10300, $6, $7, $8, $9, $9, $10, $11, $12, $13, $14, $9)",
        bill_id, organization, app, f"{words[:12]}-0001", status, 0 if paid else 10_300, begin, end, now, paid,
        url, "https://pay.example/pdf", "https://pay.example/receipt" if paid else None, json.dumps(lines),
    )  # fmt: skip
