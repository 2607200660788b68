"""`/organizations/{id}/bills/{id}`: the payment service's invoice, each line of usage down to the rows it rests on."""

from datetime import datetime
from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from billing.invoices.closing import app_names
from billing.invoices.reads import Drill, hours, raw_rows
from billing.money import amount_text
from billing.provider import InvoiceLine, Provider, ProviderInvoice
from billing.usage.periods import month_bounds
from control_plane.members import Member
from kernel.errors import NotFound
from kernel.ids import format_id
from portal.billing.invoice import csv_of, days_of, place_of
from portal.billing.paying import ProviderDependency
from portal.http.page import page
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency

Pages = Request[Any, Any, Any]


@get("/organizations/{organization_id:str}/bills/{bill_id:str}")
async def show_bill(
    request: Pages,
    visit: VisitDependency,
    member: MemberDependency,
    provider: ProviderDependency,
    bill_id: FromPath[str],
) -> Response[str]:
    """A bill as it was last seen: what of it is due, and the ways to pay it."""
    bill = await provider.invoice(member, bill_id)
    async with visit.deps.read(member) as uow:
        names = await app_names(uow.session, member.organization_id)
    return page(
        request,
        "billing/bill.html",
        member=member,
        bill=bill,
        app_name=names.get(format_id("app", bill.app_id)) if bill.app_id else None,
        month_name=_month_name,
        money=lambda minor: amount_text(minor, bill.currency),
    )


@get("/organizations/{organization_id:str}/bills/{bill_id:str}/lines/{place:str}")
async def show_bill_line(
    request: Pages,
    visit: VisitDependency,
    member: MemberDependency,
    provider: ProviderDependency,
    bill_id: FromPath[str],
    place: FromPath[str],
    cursor: FromQuery[str | None] = None,
) -> Response[str]:
    """What a line of usage rests on: its days, and the ledger's rows."""
    bill, line, drill = await _drill(provider, member, bill_id, place, visit.deps.clock.now())
    async with visit.deps.read(member) as uow:
        by_hour = await hours(uow.session, drill)
        rows = await raw_rows(uow.session, drill, cursor=cursor)
        names = await app_names(uow.session, member.organization_id)
    return page(
        request,
        "billing/bill_line.html",
        member=member,
        bill=bill,
        line=line,
        place=place,
        drill=drill,
        days=days_of(by_hour, drill.meter),
        rows=rows,
        cursor=cursor,
        app_name=names.get(format_id("app", drill.app_id)),
        month_name=_month_name,
        money=lambda minor: amount_text(minor, bill.currency),
    )


@get("/organizations/{organization_id:str}/bills/{bill_id:str}/lines/{place:str}/rows.csv")
async def download_bill_rows(
    deps: DepsDependency,
    member: MemberDependency,
    provider: ProviderDependency,
    bill_id: FromPath[str],
    place: FromPath[str],
) -> Stream:
    """Every row of the ledger that a line rests on."""
    bill, line, drill = await _drill(provider, member, bill_id, place, deps.clock.now())
    name = f"{bill.number or 'draft'}-{drill.meter}-{line.month}.csv"
    return Stream(
        csv_of(deps, member, drill),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _drill(
    provider: Provider, member: Member, bill_id: str, place: str, now: datetime
) -> tuple[ProviderInvoice, InvoiceLine, Drill]:
    bill, number = await provider.invoice(member, bill_id), place_of(place)
    if not 1 <= number <= len(bill.lines):
        raise NotFound()
    line = bill.lines[number - 1]
    if line.meter is None or line.app_id is None or line.month is None:
        raise NotFound()
    begin, end = month_bounds(line.month)
    return bill, line, Drill(line.app_id, line.meter, begin, end, now, None)


def _month_name(month: str) -> str:
    return f"{month_bounds(month)[0]:%B %Y}"


ROUTES: Final = [show_bill, show_bill_line, download_bill_rows]
