"""`/organizations/{id}/transfer`: an owner offers the organization to a member, who accepts or declines."""

from typing import Any, Final

from litestar import Request, Response, get, post

from control_plane.members.scope import Member
from control_plane.members.service import list_members
from control_plane.organizations.ownership import accept_ownership, end_offer, offer_ownership, open_offer
from kernel.errors import NatterError
from portal.http.forms import FormView, read_form
from portal.http.guard import confirmed
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency, path_id
from portal.http.visit import Visit
from portal.organizations.forms import SureForm, TransferForm

_MOST: Final = 200


@get("/organizations/{organization_id:str}/transfer")
async def transfer_page(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency
) -> Response[Any]:
    return await _show(request, visit, member)


@confirmed
@post("/organizations/{organization_id:str}/transfer", status_code=200)
async def submit_offer(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    member.require("organization.own")
    form = await read_form(request, TransferForm)
    try:
        form.check()
        async with deps.change_as(member, visit.request_id) as ctx:
            offer = await offer_ownership(ctx, member, path_id("acc", form.data.member))
    except NatterError as error:
        return await _show(request, visit, member, form.fail(error))
    visit.flash(f"{offer.offered_to_name} has a mail with your offer.")
    return redirect(request, _path(member))


@confirmed
@post("/organizations/{organization_id:str}/transfer/accept", status_code=200)
async def submit_accept(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    await read_form(request, SureForm)
    async with deps.change_as(member, visit.request_id) as ctx:
        await accept_ownership(ctx, member)
    visit.flash(f"You are the owner of {member.organization_name} now.")
    return redirect(request, f"/organizations/{member.public_organization_id}/settings")


@post("/organizations/{organization_id:str}/transfer/end", status_code=200)
async def submit_end(
    request: Request[Any, Any, Any], visit: VisitDependency, member: MemberDependency, deps: DepsDependency
) -> Response[Any]:
    await read_form(request, SureForm)
    async with deps.change_as(member, visit.request_id) as ctx:
        await end_offer(ctx, member)
    visit.flash("The offer is taken back." if member.role == "owner" else "You have declined the offer.")
    return redirect(request, _path(member))


async def _show(
    request: Request[Any, Any, Any], visit: Visit, member: Member, form: FormView | None = None
) -> Response[Any]:
    others: list[tuple[str, str]] = []
    async with visit.deps.read(member) as uow:
        offer = await open_offer(uow.session, member, now=visit.deps.clock.now())
        if member.may("organization.own"):
            found = await list_members(uow.session, member, limit=_MOST)
            others = [
                (one.public_id, f"{one.name}, {one.email} ({one.role})") for one in found.items if one.role != "owner"
            ]
    visit.path = _path(member)
    return page(request, "organizations/transfer.html", form=form, member=member, offer=offer, others=others)


def _path(member: Member) -> str:
    return f"/organizations/{member.public_organization_id}/transfer"


ROUTES: Final = [transfer_page, submit_offer, submit_accept, submit_end]
