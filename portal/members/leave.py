"""`/organizations/{id}/leave`."""

from typing import Any, Final

from litestar import Request, Response, get, post

from control_plane.members.service import leave
from kernel.errors import InvalidInput, NatterError
from portal.http.forms import read_form
from portal.http.guard import open_anyway
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency
from portal.members.forms import LeaveForm


@open_anyway("closed", "two-step")
@get("/organizations/{organization_id:str}/leave")
async def leave_page(request: Request[Any, Any, Any], member: MemberDependency) -> Response[Any]:
    return page(request, "members/leave.html", member=member)


@open_anyway("closed", "two-step")
@post("/organizations/{organization_id:str}/leave", status_code=200)
async def submit_leave(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, LeaveForm)
    try:
        form.check()
        if form.data.organization.strip() != member.organization_name:
            raise InvalidInput(f"Type {member.organization_name} to confirm.", field="organization")
        async with deps.change_as(member, visit.request_id) as ctx:
            await leave(ctx, member)
    except NatterError as error:
        return page(request, "members/leave.html", form=form.fail(error), member=member)
    visit.flash(f"You have left {member.organization_name}.")
    return redirect(request, "/")


ROUTES: Final = [leave_page, submit_leave]
