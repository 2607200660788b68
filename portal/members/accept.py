"""`/invitations/{token}`: what an invitation offers, to everybody who holds its link; to accept it one signs in."""

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.accounts.errors import LinkInvalid
from control_plane.context import Actor
from control_plane.members.invitations import accept_invitation, look_up_invitation
from control_plane.members.roles import DESCRIPTIONS
from kernel.ids import format_id
from portal.http.forms import Form, read_form
from portal.http.guard import public
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency


class AcceptForm(Form, frozen=True, kw_only=True):
    """One button."""


@public
@get("/invitations/{token:str}")
async def invitation_page(request: Request[Any, Any, Any], deps: DepsDependency, token: FromPath[str]) -> Response[Any]:
    try:
        offer = await look_up_invitation(deps, token)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="invitation")
    return page(request, "members/accept.html", offer=offer, about_role=DESCRIPTIONS[offer.role])


@post("/invitations/{token:str}", status_code=200)
async def submit_accept(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    person: PersonDependency,
    deps: DepsDependency,
    token: FromPath[str],
) -> Response[Any]:
    await read_form(request, AcceptForm)
    try:
        async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
            organization_id = await accept_invitation(ctx, person, token)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="invitation")
    visit.flash("Welcome. You are a member now.")
    return redirect(request, f"/organizations/{format_id('org', organization_id)}")


ROUTES: Final = [invitation_page, submit_accept]
