"""Invoices as pages read them, the preview of the running month, and the proof that an invoice still adds up."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.coupons import redeemed
from billing.credits import balances
from billing.invoices.closing import app_names
from billing.invoices.compute import lines_of
from billing.invoices.document import Document, DocumentLine, Drawn, Head, Named, compose, decode, digest
from billing.plans import Tax, load_catalog
from billing.usage.periods import month_bounds
from control_plane.members import Member
from control_plane.paging import Page
from kernel.clock import month_of, rfc3339
from kernel.errors import InvalidInput, NotFound
from kernel.ids import format_id, parse_id

ROWS: Final = 100
_COLUMNS: Final = "id, organization_id, month, number, currency, total, document, digest, cut, finalized_at"
_LIST = text(
    f"select {_COLUMNS} from control.invoices where organization_id = :organization and month < :before "  # noqa: S608
    "order by month desc limit :n"
)
_GET = text(f"select {_COLUMNS} from control.invoices where id = :id and organization_id = :organization")  # noqa: S608
_ONE = text(f"select {_COLUMNS} from control.invoices where number = :number")  # noqa: S608
_DRAWN = text(
    """
    select e.grant_id, g.reason, -e.amount from control.credit_entries e
    join control.credit_grants g on g.id = e.grant_id
    where e.invoice_id = :id order by g.priority, g.expires_at nulls last, g.id
    """
)
_BEFORE = text(
    "select max(cut) from control.billing_months b where b.organization_id = :organization and b.month < :month"
)
_HOURS = text(
    """
    select hour, quantity from control.usage_hourly
    where app_id = :app and meter = :meter and hour >= :begin and hour < :end order by hour
    """
)
# Row after row in the order of the key, which no late row changes.
_ROWS = text(
    """
    select source, boot, seq, meter, quantity, at, subject, received_at from control.usage_ledger
    where app_id = :app and meter = :meter and at >= :begin and at < :end
        and received_at <= :cut and received_at > coalesce(cast(:after as timestamptz), '-infinity')
        and (source, boot, seq) > (:source, :boot, :seq)
    order by source, boot, seq limit :n
    """
)


@dataclass(frozen=True, slots=True)
class Invoice:
    """A final one. `total` in minor units, `text` its canonical document and `digest` that text's SHA-256."""

    id: UUID
    organization_id: UUID
    month: str
    number: int
    currency: str
    total: int
    text: str
    digest: str
    cut: datetime
    finalized_at: datetime

    @property
    def public_id(self) -> str:
        """`inv_…`"""
        return format_id("inv", self.id)

    @property
    def document(self) -> Document:
        """What it says."""
        return decode(self.text)


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row of the ledger as it was reported: `(source, boot, seq)` names it for ever."""

    source: str
    boot: str
    seq: int
    meter: str
    quantity: int
    at: datetime
    subject: str | None
    received_at: datetime

    @property
    def cursor(self) -> str:
        """Where the next page begins."""
        return f"{self.seq}~{self.boot}~{self.source}"


async def list_invoices(
    session: AsyncSession, member: Member, *, cursor: str | None = None, limit: int = 24
) -> Page[Invoice]:
    """The organization's, the newest first. Raises `Forbidden`, `InvalidInput`."""
    member.require("usage.read")
    if cursor is not None:
        month_bounds(cursor)
    values = {"organization": member.organization_id, "before": cursor or "9999-99", "n": limit + 1}
    found = [Invoice(*row) for row in await session.execute(_LIST, values)]
    return Page(found[:limit], found[limit - 1].month if len(found) > limit else None)


async def get_invoice(session: AsyncSession, member: Member, invoice_id: UUID) -> Invoice:
    """One of the organization's. Raises `Forbidden`, `NotFound`."""
    member.require("usage.read")
    row = (await session.execute(_GET, {"id": invoice_id, "organization": member.organization_id})).one_or_none()
    if row is None:
        raise NotFound()
    return Invoice(*row)


async def preview(session: AsyncSession, member: Member, *, now: datetime) -> Document:
    """The running month as an invoice would say it, if nothing more were used. Raises `Forbidden`."""
    member.require("usage.read")
    organization_id, month, catalog = member.organization_id, month_of(now), load_catalog()
    lines = await lines_of(session, organization_id, month, cut=now, live=True)
    _, end = month_bounds(month)
    drawn = [
        Drawn(credit.id, credit.reason, credit.balance) for credit in await balances(session, organization_id, now=end)
    ]
    head = Head(
        number="",
        organization=Named(id=member.public_organization_id, name=member.organization_name),
        month=month,
        currency=catalog.currency,
        cut=now,
        finalized_at=now,
    )
    coupons = await redeemed(session, organization_id, cut=now)
    return compose(head, lines, await app_names(session, organization_id), drawn, coupons, catalog.tax)


async def recompute_invoice(session: AsyncSession, number: int) -> tuple[Invoice, str]:
    """An invoice, and its document made again from the ledger by its cut: both must be the same text.

    Names are those that things had then, which the document alone remembers. Raises `NotFound`.
    """
    row = (await session.execute(_ONE, {"number": number})).one_or_none()
    if row is None:
        raise NotFound(f"There is no invoice {number}.")
    invoice = Invoice(*row)
    document = invoice.document
    drawn = [Drawn(*found) for found in await session.execute(_DRAWN, {"id": invoice.id})]
    head = Head(
        number=document.number,
        organization=document.organization,
        month=document.month,
        currency=document.currency,
        cut=invoice.cut,
        finalized_at=invoice.finalized_at,
        customer=document.customer,
        seller=document.seller,
    )
    lines = await lines_of(session, invoice.organization_id, invoice.month, cut=invoice.cut)
    coupons = await redeemed(session, invoice.organization_id, cut=invoice.cut)
    # The rate may have changed since; what was charged by it then is checked by the amounts.
    tax = Tax(name=document.tax.name, basis_points=document.tax.basis_points)
    apps = {line.app.id: line.app.name for line in document.lines}
    return invoice, compose(head, lines, apps, drawn, coupons, tax).encode()


def intact(invoice: Invoice, again: str) -> bool:
    """Whether a stored invoice is what it was, and what the ledger says."""
    return invoice.text == again and invoice.digest == digest(again)


@dataclass(frozen=True, slots=True)
class Drill:
    """What a line of usage rests on: rows received by `cut`, of an adjustment after `after`."""

    app_id: UUID
    meter: str
    begin: datetime
    end: datetime
    cut: datetime
    after: datetime | None


async def drill_of(session: AsyncSession, invoice: Invoice, place: int) -> tuple[DocumentLine, Drill | None]:
    """A line by its place from 1 on, and what it rests on; `None` of a line that is no usage. Raises `NotFound`."""
    lines = invoice.document.lines
    if not 1 <= place <= len(lines):
        raise NotFound()
    line = lines[place - 1]
    if line.meter is None:
        return line, None
    values = {"organization": invoice.organization_id, "month": invoice.month}
    before: datetime | None = (await session.execute(_BEFORE, values)).scalar_one()
    begin, end = datetime.fromisoformat(line.begin), datetime.fromisoformat(line.end)
    after = before if line.kind == "adjustment" else None
    return line, Drill(parse_id("app", line.app.id), line.meter, begin, end, invoice.cut, after)


async def hours(session: AsyncSession, drill: Drill) -> list[tuple[datetime, int]]:
    """The rollup's hours of a line."""
    values = {"app": drill.app_id, "meter": drill.meter, "begin": drill.begin, "end": drill.end}
    return [(row.hour, row.quantity) for row in await session.execute(_HOURS, values)]


async def raw_rows(
    session: AsyncSession, drill: Drill, *, cursor: str | None = None, limit: int = ROWS
) -> Page[RawRow]:
    """The ledger's rows of a line, by source, boot and number. Raises `InvalidInput` for what is no cursor."""
    found = await _some(session, drill, _place(cursor), limit + 1)
    return Page(found[:limit], found[limit - 1].cursor if len(found) > limit else None)


async def every_row(session: AsyncSession, drill: Drill) -> AsyncIterator[RawRow]:
    """All of them, page by page."""
    place: dict[str, Any] = _place(None)
    while found := await _some(session, drill, place, 2_000):
        for row in found:
            yield row
        place = {"source": found[-1].source, "boot": found[-1].boot, "seq": found[-1].seq}


CSV_HEAD: Final = ("source", "boot", "seq", "meter", "quantity", "at", "subject", "received_at")


def csv_cells(row: RawRow) -> tuple[object, ...]:
    """A row as `CSV_HEAD` names its cells."""
    at, received = rfc3339(row.at), rfc3339(row.received_at)
    return row.source, row.boot, row.seq, row.meter, row.quantity, at, row.subject or "", received


async def _some(session: AsyncSession, drill: Drill, place: dict[str, Any], n: int) -> list[RawRow]:
    values = {
        "app": drill.app_id,
        "meter": drill.meter,
        "begin": drill.begin,
        "end": drill.end,
        "cut": drill.cut,
        "after": drill.after,
        "n": n,
        **place,
    }
    return [RawRow(*row) for row in await session.execute(_ROWS, values)]


def _place(cursor: str | None) -> dict[str, Any]:
    if cursor is None:
        return {"source": "", "boot": "", "seq": -1}
    seq, _, rest = cursor.partition("~")
    boot, _, source = rest.partition("~")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 20 and boot and source):
        raise InvalidInput("`cursor` is not one of this list.", field="cursor")
    return {"source": source, "boot": boot, "seq": int(seq)}
