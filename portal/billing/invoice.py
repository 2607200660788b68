"""`/organizations/{id}/invoices/{id}`: an invoice, its PDF, and each line down to the rows it rests on."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from billing.invoices import pdf
from billing.invoices.document import number_text
from billing.invoices.reads import (
    CSV_HEAD,
    Drill,
    Invoice,
    csv_cells,
    drill_of,
    every_row,
    get_invoice,
    hours,
    raw_rows,
)
from billing.invoices.wording import describe, quantity_words, stretch_words
from billing.money import amount_text
from billing.usage.periods import month_bounds
from control_plane.context import Deps
from control_plane.members import Member
from kernel.errors import NotFound
from portal.apps.usage.units import amount
from portal.http.page import page
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency, path_id

Pages = Request[Any, Any, Any]


@get("/organizations/{organization_id:str}/invoices/{invoice_id:str}")
async def show_invoice(
    request: Pages, visit: VisitDependency, member: MemberDependency, invoice_id: FromPath[str]
) -> Response[str]:
    """A final invoice."""
    async with visit.deps.read(member) as uow:
        found = await get_invoice(uow.session, member, path_id("inv", invoice_id))
    return page(
        request,
        "billing/invoice.html",
        member=member,
        invoice=found,
        document=found.document,
        begin=month_bounds(found.month)[0],
        cut=datetime.fromisoformat(found.document.cut),
        party_lines=pdf.party_lines,
        describe=describe,
        stretch_words=stretch_words,
        quantity_words=lambda line: quantity_words(line, found.currency),
        money=lambda minor: amount_text(minor, found.currency),
    )


@get("/organizations/{organization_id:str}/invoices/{invoice_id:str}/pdf")
async def download_pdf(visit: VisitDependency, member: MemberDependency, invoice_id: FromPath[str]) -> Response[bytes]:
    """The same as a file; the same bytes each time."""
    async with visit.deps.read(member) as uow:
        found = await get_invoice(uow.session, member, path_id("inv", invoice_id))
    return Response(
        pdf.render(found.document),
        media_type="application/pdf",
        headers={"content-disposition": f'inline; filename="{number_text(found.number)}.pdf"'},
    )


@get("/organizations/{organization_id:str}/invoices/{invoice_id:str}/lines/{place:str}")
async def show_line(
    request: Pages,
    visit: VisitDependency,
    member: MemberDependency,
    invoice_id: FromPath[str],
    place: FromPath[str],
    cursor: FromQuery[str | None] = None,
) -> Response[str]:
    """What a line of usage rests on: its hours, and the ledger's rows."""
    async with visit.deps.read(member) as uow:
        found = await get_invoice(uow.session, member, path_id("inv", invoice_id))
        line, drill = await drill_of(uow.session, found, place_of(place))
        if drill is None:
            raise NotFound()
        by_hour = await hours(uow.session, drill)
        rows = await raw_rows(uow.session, drill, cursor=cursor)
    return page(
        request,
        "billing/line.html",
        member=member,
        invoice=found,
        number=number_text(found.number),
        line=line,
        place=place,
        drill=drill,
        days=days_of(by_hour, drill.meter),
        rows=rows,
        cursor=cursor,
        describe=describe,
        stretch_words=stretch_words,
        quantity_words=lambda one: quantity_words(one, found.currency),
        money=lambda minor: amount_text(minor, found.currency),
        amount=amount,
    )


@get("/organizations/{organization_id:str}/invoices/{invoice_id:str}/lines/{place:str}/rows.csv")
async def download_rows(
    deps: DepsDependency, member: MemberDependency, invoice_id: FromPath[str], place: FromPath[str]
) -> Stream:
    """Every row of the ledger that a line rests on."""
    async with deps.read(member) as uow:
        found = await get_invoice(uow.session, member, path_id("inv", invoice_id))
        _, drill = await drill_of(uow.session, found, place_of(place))
    if drill is None:
        raise NotFound()
    name = _file_name(found, drill)
    return Stream(
        csv_of(deps, member, drill),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def csv_of(deps: Deps, member: Member, drill: Drill) -> AsyncIterator[bytes]:
    """The rows as CSV, some thousands at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    async with deps.read(member) as uow:
        async for row in every_row(uow.session, drill):
            writer.writerow(csv_cells(row))
            if buffer.tell() > 65_536:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
    yield buffer.getvalue().encode()


def _file_name(invoice: Invoice, drill: Drill) -> str:
    return f"{number_text(invoice.number)}-{drill.meter}-{drill.begin:%Y-%m}.csv"


def place_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise NotFound()
    return int(text)


def days_of(by_hour: list[tuple[datetime, int]], meter: str) -> list[tuple[datetime, int, int]]:
    """Each day with its total, or of a peak its highest hour, and how many hours it has."""
    days: dict[Any, list[tuple[datetime, int]]] = {}
    for at, quantity in by_hour:
        days.setdefault(at.date(), []).append((at, quantity))
    combine = max if meter == "peak_connections" else sum
    return [(found[0][0], combine(each for _, each in found), len(found)) for found in days.values()]


ROUTES: Final = [show_invoice, download_pdf, show_line, download_rows]
