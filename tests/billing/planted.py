"""An invoice put into the database as it stands, for tests of who may see it."""

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
