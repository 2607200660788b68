"""`/account`: the name."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post

from control_plane.accounts.profile import change_name
from control_plane.context import Actor
from kernel.errors import NatterError
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency, load_organizations
from portal.http.visit import Visit


class NameForm(Form, frozen=True, kw_only=True):
    name: Annotated[str, Field("Name", blank="Enter your name.")] = ""


@get("/account")
async def account_page(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    return await _show(request, visit)


@post("/account/name", status_code=200)
async def submit_name(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, NameForm)
    try:
        form.check()
        async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
            await change_name(ctx, person.account_id, form.data.name)
    except NatterError as error:
        return await _show(request, visit, form.fail(error))
    visit.flash("Your name is saved.")
    return redirect(request, "/account")


async def _show(request: Request[Any, Any, Any], visit: Visit, form: FormView | None = None) -> Response[Any]:
    assert visit.person is not None
    await load_organizations(visit, visit.person)
    return page(request, "accounts/account.html", form=form)


ROUTES: Final = [account_page, submit_name]
