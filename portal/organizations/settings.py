"""`/organizations/{id}/settings`."""

from typing import Any, Final

from litestar import Request, Response, get, post

from control_plane.organizations.service import rename_organization
from kernel.errors import NatterError
from portal.http.forms import read_form
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency
from portal.organizations.forms import OrganizationForm


@get("/organizations/{organization_id:str}/settings")
async def organization_settings_page(request: Request[Any, Any, Any], member: MemberDependency) -> Response[Any]:
    return page(request, "organizations/settings.html", member=member)


@post("/organizations/{organization_id:str}/settings", status_code=200)
async def submit_organization_settings(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    member.require("organization.update")
    form = await read_form(request, OrganizationForm)
    try:
        form.check()
        async with deps.change_as(member, visit.request_id) as ctx:
            await rename_organization(ctx, member, form.data.organization)
    except NatterError as error:
        return page(request, "organizations/settings.html", form=form.fail(error), member=member)
    visit.flash("The name is saved.")
    return redirect(request, f"/organizations/{member.public_organization_id}/settings")


ROUTES: Final = [organization_settings_page, submit_organization_settings]
