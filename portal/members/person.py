"""`/organizations/{id}/members/{acc_…}`: one member; the role, and the way out."""

from typing import Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.members.scope import Member
from control_plane.members.service import change_role, get_member, remove_member
from kernel.errors import InvalidInput, NatterError
from portal.http.forms import FormView, read_form
from portal.http.guard import confirmed
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency, path_id
from portal.http.visit import Visit
from portal.members.forms import RemoveForm, RoleForm, role_choices


@get("/organizations/{organization_id:str}/members/{account_id:str}")
async def member_page(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, account_id: FromPath[str]
) -> Response[Any]:
    return await _show(request, visit, member, path_id("acc", account_id))


@post("/organizations/{organization_id:str}/members/{account_id:str}/role", status_code=200)
async def submit_role(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    member: MemberDependency,
    deps: DepsDependency,
    account_id: FromPath[str],
) -> Response[Any]:
    member.require("members.manage")
    form = await read_form(request, RoleForm)
    wanted = path_id("acc", account_id)
    async with deps.read(member) as uow:
        before = (await get_member(uow.session, member, wanted)).role
    if "owner" in (before, form.data.role):
        visit.require_confirmed()
    try:
        form.check()
        async with deps.change_as(member, visit.request_id) as ctx:
            await change_role(ctx, member, wanted, form.data.role)
            changed = await get_member(ctx.session, member, wanted)
    except NatterError as error:
        return await _show(request, visit, member, wanted, form.fail(error))
    visit.flash(f"{changed.name} is {changed.role} now.")
    return redirect(request, _members(member))


@confirmed
@post("/organizations/{organization_id:str}/members/{account_id:str}/remove", status_code=200)
async def submit_remove(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    member: MemberDependency,
    deps: DepsDependency,
    account_id: FromPath[str],
) -> Response[Any]:
    member.require("members.manage")
    form = await read_form(request, RemoveForm)
    wanted = path_id("acc", account_id)
    try:
        form.check()
        async with deps.change_as(member, visit.request_id) as ctx:
            person = await get_member(ctx.session, member, wanted)
            if form.data.email.strip().lower() != person.email:
                raise InvalidInput(f"Type {person.email} to confirm.", field="email")
            await remove_member(ctx, member, wanted)
    except NatterError as error:
        return await _show(request, visit, member, wanted, form.fail(error))
    visit.flash(f"{person.name} is removed.")
    # Who removes himself has nothing more to see here.
    return redirect(request, "/" if wanted == member.account_id else _members(member))


async def _show(
    request: Request[Any, Any, Any], visit: Visit, member: Member, account_id: UUID, form: FormView | None = None
) -> Response[Any]:
    async with visit.deps.read(member) as uow:
        person = await get_member(uow.session, member, account_id)
    visit.path = f"{_members(member)}/{person.public_id}"
    return page(request, "members/person.html", form=form, member=member, person=person, roles=role_choices(member))


def _members(member: Member) -> str:
    return f"/organizations/{member.public_organization_id}/members"


ROUTES: Final = [member_page, submit_role, submit_remove]
