"""`/organizations/{id}/settings`."""

from typing import Any, Final

from litestar import Request, Response, get, post

from control_plane.organizations.service import rename_organization, require_two_step
from kernel.errors import NatterError
from portal.http.forms import read_form
from portal.http.guard import confirmed
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency
from portal.organizations.forms import OrganizationForm, TwoStepRuleForm


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


@confirmed
@post("/organizations/{organization_id:str}/two-step", status_code=200)
async def submit_two_step_rule(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    member.require("organization.update")
    form = await read_form(request, TwoStepRuleForm)
    required = form.data.required == "yes"
    try:
        async with deps.change_as(member, visit.request_id) as ctx:
            await require_two_step(ctx, member, required)
    except NatterError as error:
        return page(request, "organizations/settings.html", form=form.fail(error), member=member)
    visit.flash("Members need two-step sign-in now." if required else "Members need no two-step sign-in any more.")
    return redirect(request, f"/organizations/{member.public_organization_id}/settings")


ROUTES: Final = [organization_settings_page, submit_organization_settings, submit_two_step_rule]
