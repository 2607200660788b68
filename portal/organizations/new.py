"""`/organizations/new`."""

from typing import Any, Final

from litestar import Request, Response, get, post

from control_plane.context import Actor
from control_plane.organizations.service import create_organization
from kernel.errors import NatterError
from portal.http.forms import read_form
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency, load_organizations
from portal.organizations.forms import OrganizationForm


@get("/organizations/new")
async def new_organization_page(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency
) -> Response[Any]:
    await load_organizations(visit, person)
    return page(request, "organizations/new.html")


@post("/organizations/new", status_code=200)
async def submit_new_organization(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, OrganizationForm)
    try:
        form.check()
        organization_id = visit.take_id(form.data.new_id)
        async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
            member = await create_organization(
                ctx, person, name=form.data.organization, organization_id=organization_id
            )
    except NatterError as error:
        await load_organizations(visit, person)
        return page(request, "organizations/new.html", form=form.fail(error))
    visit.flash(f"{member.organization_name} is created.")
    return redirect(request, f"/organizations/{member.public_organization_id}")


ROUTES: Final = [new_organization_page, submit_new_organization]
