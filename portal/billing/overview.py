"""`/organizations/{id}/billing` and `/organizations/{id}/credits`."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromQuery

from billing.coupons import redeem, redeemed
from billing.credits import balances, entries_of
from billing.dunning import unpaid_apps
from billing.invoices.closing import app_names
from billing.invoices.document import number_text
from billing.invoices.reads import list_invoices, preview
from billing.invoices.wording import describe, quantity_words, stretch_words
from billing.money import amount_text
from billing.plans import load_catalog
from billing.provider import Provider
from billing.usage.periods import month_bounds
from control_plane.members import Member
from control_plane.organizations.details import billing_details
from kernel.errors import NatterError
from portal.billing.paying import ProviderDependency, bill_of, leave
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import MemberDependency, VisitDependency
from portal.http.visit import Visit

Pages = Request[Any, Any, Any]


class CouponForm(Form, frozen=True, kw_only=True):
    """A coupon's code."""

    code: Annotated[str, Field("Code", blank="Enter the coupon's code.")] = ""


@get("/organizations/{organization_id:str}/billing")
async def show_billing(
    request: Pages,
    visit: VisitDependency,
    member: MemberDependency,
    provider: ProviderDependency,
    cursor: FromQuery[str | None] = None,
) -> Response[Any]:
    """The running month as the invoice will say it, and the invoices so far."""
    member.require("usage.read")
    return await _billing_page(request, visit, member, provider, cursor=cursor)


@post("/organizations/{organization_id:str}/billing/coupon")
async def submit_coupon(
    request: Pages, visit: VisitDependency, member: MemberDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """Redeem a coupon, from this month's invoice on."""
    member.require("billing.manage")
    form = await read_form(request, CouponForm)
    try:
        form.check()
        async with visit.deps.change_as(member, visit.request_id) as ctx:
            coupon = await redeem(ctx, member.organization_id, form.data.code)
    except NatterError as error:
        return await _billing_page(request, visit, member, provider, form=form.fail(error))
    visit.flash(f"Redeemed: {coupon.name}.")
    return redirect(request, f"/organizations/{member.public_organization_id}/billing")


@post("/organizations/{organization_id:str}/billing/portal")
async def submit_portal(
    request: Pages, visit: VisitDependency, member: MemberDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """Go on to the payment service's page for cards, addresses and tax numbers."""
    member.require("billing.manage")
    form = await read_form(request, Form)
    back = f"{visit.deps.settings.portal}/organizations/{member.public_organization_id}/billing"
    try:
        url = await provider.portal(member, return_url=back, request_id=visit.request_id)
    except NatterError as error:
        return await _billing_page(request, visit, member, provider, form=form.fail(error))
    return leave(request, url)


@get("/organizations/{organization_id:str}/credits")
async def show_credits(request: Pages, visit: VisitDependency, member: MemberDependency) -> Response[str]:
    """What is left of each credit, and where the rest went."""
    member.require("usage.read")
    now = visit.deps.clock.now()
    async with visit.deps.read(member) as uow:
        left = await balances(uow.session, member.organization_id, now=now)
        entries = await entries_of(uow.session, member.organization_id)
    return page(
        request,
        "billing/credits.html",
        member=member,
        left=left,
        total=sum(credit.balance for credit in left),
        entries=entries,
        money=_money,
    )


async def _billing_page(
    request: Pages,
    visit: Visit,
    member: Member,
    provider: Provider,
    *,
    form: FormView | None = None,
    cursor: str | None = None,
) -> Response[str]:
    deps, now = visit.deps, visit.deps.clock.now()
    async with deps.read(member) as uow:
        month = await preview(uow.session, member, now=now)
        invoices = await list_invoices(uow.session, member, cursor=cursor)
        told = await billing_details(uow.session, member.organization_id)
        coupons = await redeemed(uow.session, member.organization_id, cut=now)
        credit = sum(one.balance for one in await balances(uow.session, member.organization_id, now=now))
        unpaid = await unpaid_apps(uow.session, member.organization_id)
        names = await app_names(uow.session, member.organization_id)
    begin, end = month_bounds(month.month)
    return page(
        request,
        "billing/page.html",
        form=form,
        member=member,
        month=month,
        unpaid=[(one, await bill_of(provider, member, one)) for one in unpaid],
        paying=await provider.standing(member),
        bills=await provider.invoices(member),
        names=names,
        begin=begin,
        end=end,
        invoices=invoices,
        cursor=cursor,
        coupons=coupons,
        credit=credit,
        told=told,
        money=_money,
        describe=describe,
        stretch_words=stretch_words,
        quantity_words=lambda line: quantity_words(line, month.currency),
        number_text=number_text,
        month_name=lambda text: f"{month_bounds(text)[0]:%B %Y}",
        amount_text=amount_text,
    )


def _money(minor: int) -> str:
    return amount_text(minor, load_catalog().currency)


ROUTES: Final = [show_billing, submit_coupon, submit_portal, show_credits]
