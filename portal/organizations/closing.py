"""Close an organization, look at what is left of it, download what is held, restore it."""

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.response import Stream

from billing.export import PREFIXES, SECTIONS
from billing.tenants import close_tenant, restore_tenant
from control_plane.organizations.closing import erased_from
from control_plane.organizations.export import export_lines
from kernel.errors import InvalidInput, NatterError
from portal.http.forms import FormView, read_form
from portal.http.guard import confirmed, open_anyway
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency
from portal.organizations.forms import CloseForm, SureForm


@confirmed
@get("/organizations/{organization_id:str}/close")
async def close_page(request: Request[Any, Any, Any], member: MemberDependency) -> Response[Any]:
    member.require("organization.own")
    return page(request, "organizations/close.html", member=member)


@confirmed
@post("/organizations/{organization_id:str}/close", status_code=200)
async def submit_close(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    member.require("organization.own")
    form = await read_form(request, CloseForm)
    try:
        form.check()
        if form.data.organization.strip() != member.organization_name:
            raise InvalidInput(f"Type {member.organization_name} to confirm.", field="organization")
        async with deps.change_as(member, visit.request_id) as ctx:
            await close_tenant(ctx, member)
    except NatterError as error:
        return page(request, "organizations/close.html", form=form.fail(error), member=member)
    visit.flash(f"{member.organization_name} is closed.")
    return redirect(request, f"/organizations/{member.public_organization_id}/closed")


@open_anyway("closed")
@get("/organizations/{organization_id:str}/closed")
async def closed_page(request: Request[Any, Any, Any], member: MemberDependency, deps: DepsDependency) -> Response[Any]:
    return _show(request, member, None)


@open_anyway("closed")
@confirmed
@post("/organizations/{organization_id:str}/restore", status_code=200)
async def submit_restore(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    member.require("organization.own")
    form = await read_form(request, SureForm)
    try:
        async with deps.change_as(member, visit.request_id) as ctx:
            await restore_tenant(ctx, member)
    except NatterError as error:
        return _show(request, member, form.fail(error))
    visit.flash(f"{member.organization_name} is open again. Nodes hear of it within seconds.")
    return redirect(request, f"/organizations/{member.public_organization_id}")


@open_anyway("closed")
@confirmed
@get("/organizations/{organization_id:str}/export")
async def export(member: MemberDependency, deps: DepsDependency) -> Stream:
    """A file of JSON lines, written as it is read."""
    member.require("organization.own")

    async def lines() -> Any:
        async with deps.read(member) as uow:
            async for line in export_lines(uow.session, member, sections=SECTIONS, prefixes=PREFIXES):
                yield line

    name = f"natter-{member.public_organization_id}.jsonl"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Stream(lines(), media_type="application/x-ndjson", headers=headers)


def _show(request: Request[Any, Any, Any], member: MemberDependency, form: FormView | None) -> Response[Any]:
    if member.closed_at is None:
        return redirect(request, f"/organizations/{member.public_organization_id}/settings")
    erased_at = erased_from(member.closed_at)
    return page(request, "organizations/closed.html", form=form, member=member, erased_at=erased_at)


ROUTES: Final = [close_page, submit_close, closed_page, submit_restore, export]
