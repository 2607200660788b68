"""`/welcome`: the first organization and its first app, in one step."""

from typing import Any, Final

from litestar import Request, Response, get, post

from billing.tenants import open_app
from control_plane.context import Actor
from control_plane.organizations.service import create_organization
from kernel.errors import NatterError
from portal.http.forms import read_form
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency, load_organizations
from portal.organizations.created import show_created
from portal.organizations.forms import WelcomeForm


@get("/welcome")
async def welcome_page(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency
) -> Response[Any]:
    if await load_organizations(visit, person):
        return redirect(request, "/")
    return page(request, "organizations/welcome.html")


@post("/welcome", status_code=200)
async def submit_welcome(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, WelcomeForm)
    wanted = form.data
    try:
        form.check()
        organization_id, app_id = visit.take_id(wanted.new_id), visit.take_id(wanted.new_app_id)
        async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
            member = await create_organization(ctx, person, name=wanted.organization, organization_id=organization_id)
            made = await open_app(ctx, member, name=wanted.app, environment="development", app_id=app_id)
    except NatterError as error:
        return page(request, "organizations/welcome.html", form=form.fail(error))
    return await show_created(request, visit, person, made)


ROUTES: Final = [welcome_page, submit_welcome]
