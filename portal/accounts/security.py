"""`/account/security`: address, password, two-step sign-in, and the browsers that are signed in."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post

from control_plane.accounts.addresses import request_change
from control_plane.accounts.authenticators import CODES, standing
from control_plane.accounts.profile import change_password
from control_plane.accounts.sessions import list_sessions
from kernel.errors import NatterError
from portal.accounts.devices import describe
from portal.accounts.entering import keep
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.guard import confirmed
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency, load_organizations
from portal.http.visit import Visit

PATH: Final = "/account/security"


class EmailForm(Form, frozen=True, kw_only=True):
    email: Annotated[str, Field("New e-mail", blank="Enter the new address.")] = ""


class PasswordForm(Form, frozen=True, kw_only=True):
    current: Annotated[str, Field("Current password", blank="Enter your current password.")] = ""
    new: Annotated[str, Field("New password", blank="Choose a new password.")] = ""


@get(PATH)
async def security_page(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    return await _show(request, visit)


@confirmed
@post("/account/email", status_code=200)
async def submit_email(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, EmailForm)
    try:
        form.check()
        email = await request_change(deps, person, email=form.data.email, client=visit.client)
    except NatterError as error:
        return await _show(request, visit, form.fail(error))
    visit.flash(f"We sent a link to {email}. Nothing changes before you open it.")
    return redirect(request, PATH)


@post("/account/password", status_code=200)
async def submit_password(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    """The current password stands in the form, so whoever sends it has proven who he is by that alone."""
    form = await read_form(request, PasswordForm)
    try:
        form.check()
        session = await change_password(deps, person, current=form.data.current, new=form.data.new, client=visit.client)
    except NatterError as error:
        return await _show(request, visit, form.fail(error))
    keep(visit, session)
    visit.flash("Your password is changed. Every other browser was signed out.")
    return redirect(request, PATH)


async def _show(request: Request[Any, Any, Any], visit: Visit, form: FormView | None = None) -> Response[Any]:
    assert visit.signed_in is not None
    assert visit.person is not None
    await load_organizations(visit, visit.person)
    async with visit.deps.database.unit_of_work(read_only=True) as uow:
        sessions = await list_sessions(uow.session, visit.person.account_id, now=visit.deps.clock.now())
        two_step = await standing(uow.session, visit.person.account_id)
    return page(
        request,
        "accounts/security.html",
        form=form,
        two_step=two_step,
        codes=CODES,
        sessions=[(session, describe(session.user_agent)) for session in sessions],
        this_session=visit.signed_in.session_id,
    )


ROUTES: Final = [security_page, submit_email, submit_password]
