"""Invite somebody, and take an invitation back."""

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.members.invitations import invite, revoke_invitation
from kernel.errors import NatterError
from portal.http.forms import read_form
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency, path_id
from portal.members.forms import InviteForm, role_choices


@get("/organizations/{organization_id:str}/members/invite")
async def invite_page(request: Request[Any, Any, Any], member: MemberDependency) -> Response[Any]:
    member.require("members.manage")
    return page(request, "members/invite.html", member=member, roles=role_choices(member))


@post("/organizations/{organization_id:str}/members/invite", status_code=200)
async def submit_invite(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    member.require("members.manage")
    form = await read_form(request, InviteForm)
    if form.data.role == "owner":
        visit.require_confirmed()
    try:
        form.check()
        invitation_id = visit.take_id(form.data.new_id)
        async with deps.change_as(member, visit.request_id) as ctx:
            invited = await invite(ctx, member, email=form.data.email, role=form.data.role, invitation_id=invitation_id)
    except NatterError as error:
        return page(request, "members/invite.html", form=form.fail(error), member=member, roles=role_choices(member))
    visit.flash(f"{invited.email} is invited.")
    return redirect(request, f"/organizations/{member.public_organization_id}/members")


@post("/organizations/{organization_id:str}/invitations/{invitation_id:str}/revoke", status_code=303)
async def submit_revoke(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    member: MemberDependency,
    deps: DepsDependency,
    invitation_id: FromPath[str],
) -> Response[Any]:
    member.require("members.manage")
    async with deps.change_as(member, visit.request_id) as ctx:
        await revoke_invitation(ctx, member, path_id("inv", invitation_id))
    visit.flash("The invitation is taken back.")
    return redirect(request, f"/organizations/{member.public_organization_id}/members")


ROUTES: Final = [invite_page, submit_invite, submit_revoke]
