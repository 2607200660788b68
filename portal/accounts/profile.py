"""`/account`: name, password, and the browsers that are signed in."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post

from control_plane.accounts.profile import change_name, change_password
from control_plane.accounts.sessions import list_sessions
from control_plane.context import Actor
from kernel.errors import NatterError
from portal.accounts.devices import describe
from portal.accounts.entering import keep
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency, load_organizations
from portal.http.visit import Visit


class NameForm(Form, frozen=True, kw_only=True):
    name: Annotated[str, Field("Name", blank="Enter your name.")] = ""


class PasswordForm(Form, frozen=True, kw_only=True):
    current: Annotated[str, Field("Current password", blank="Enter your current password.")] = ""
    new: Annotated[str, Field("New password", blank="Choose a new password.")] = ""


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


@post("/account/password", status_code=200)
async def submit_password(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, PasswordForm)
    try:
        form.check()
        session = await change_password(deps, person, current=form.data.current, new=form.data.new, client=visit.client)
    except NatterError as error:
        return await _show(request, visit, form.fail(error))
    keep(visit, session)
    visit.flash("Your password is changed. Every other browser was signed out.")
    return redirect(request, "/account")


async def _show(request: Request[Any, Any, Any], visit: Visit, form: FormView | None = None) -> Response[Any]:
    assert visit.signed_in is not None
    assert visit.person is not None
    await load_organizations(visit, visit.person)
    async with visit.deps.database.unit_of_work(read_only=True) as uow:
        sessions = await list_sessions(uow.session, visit.person.account_id, now=visit.deps.clock.now())
    return page(
        request,
        "accounts/account.html",
        form=form,
        sessions=[(session, describe(session.user_agent)) for session in sessions],
        this_session=visit.signed_in.session_id,
    )


ROUTES: Final = [account_page, submit_name, submit_password]
