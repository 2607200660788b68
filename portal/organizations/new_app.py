"""`/organizations/{id}/apps/new`. The answer is the new app's quickstart, which shows its secret key once."""

from typing import Any, Final

from litestar import Request, Response, get, post

from billing.tenants import open_app
from kernel.errors import NatterError
from portal.http.forms import read_form
from portal.http.page import page
from portal.http.scope import DepsDependency, MemberDependency, PersonDependency, VisitDependency
from portal.organizations.created import show_created
from portal.organizations.forms import ENVIRONMENTS, AppForm


@get("/organizations/{organization_id:str}/apps/new")
async def new_app_page(request: Request[Any, Any, Any], member: MemberDependency) -> Response[Any]:
    member.require("apps.create")
    return page(request, "organizations/new_app.html", member=member, environments=ENVIRONMENTS)


@post("/organizations/{organization_id:str}/apps/new", status_code=200)
async def submit_new_app(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    person: PersonDependency,
    member: MemberDependency,
    deps: DepsDependency,
) -> Response[Any]:
    member.require("apps.create")
    form = await read_form(request, AppForm)
    try:
        form.check()
        app_id = visit.take_id(form.data.new_id)
        async with deps.change_as(member, visit.request_id) as ctx:
            made = await open_app(ctx, member, name=form.data.app, environment=form.data.environment, app_id=app_id)
    except NatterError as error:
        failed = form.fail(error)
        return page(request, "organizations/new_app.html", form=failed, member=member, environments=ENVIRONMENTS)
    return await show_created(request, visit, person, made)


ROUTES: Final = [new_app_page, submit_new_app]
