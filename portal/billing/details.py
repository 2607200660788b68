"""`/organizations/{id}/billing/details`: who the organization is on its invoices."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post

from control_plane.organizations.details import Details, billing_details, set_billing_details
from kernel.errors import NatterError
from portal.http.forms import Field, Form, read_form
from portal.http.page import page, redirect
from portal.http.scope import MemberDependency, VisitDependency

Pages = Request[Any, Any, Any]


class DetailsForm(Form, frozen=True, kw_only=True):
    """Each may be left empty."""

    company: Annotated[str, Field("Company")] = ""
    address: Annotated[str, Field("Address")] = ""
    tax_number: Annotated[str, Field("Tax number")] = ""


@get("/organizations/{organization_id:str}/billing/details")
async def show_details(request: Pages, visit: VisitDependency, member: MemberDependency) -> Response[str]:
    """The form, with what is known."""
    member.require("billing.manage")
    async with visit.deps.read(member) as uow:
        told = await billing_details(uow.session, member.organization_id)
    return page(request, "billing/details.html", member=member, told=told)


@post("/organizations/{organization_id:str}/billing/details")
async def change_details(
    request: Pages, visit: VisitDependency, member: MemberDependency
) -> Response[str] | Response[None]:
    """From the next invoice on."""
    member.require("billing.manage")
    form = await read_form(request, DetailsForm)
    told = Details(company=form.data.company, address=form.data.address, tax_number=form.data.tax_number)
    try:
        async with visit.deps.change_as(member, visit.request_id) as ctx:
            await set_billing_details(ctx, member, told)
    except NatterError as error:
        return page(request, "billing/details.html", member=member, told=told, form=form.fail(error))
    visit.flash("The next invoice says so.")
    return redirect(request, f"/organizations/{member.public_organization_id}/billing")


ROUTES: Final = [show_details, change_details]
