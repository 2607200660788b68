"""`/email/{token}`: confirm a new address. `/email-back/{token}`: take the change back, from the old one.

Opening a link changes nothing, since programs that scan mails do it too.
"""

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.accounts.addresses import confirm_change, look_up_change, look_up_revert, revert_change
from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.person import Person
from kernel.errors import NatterError
from portal.accounts.security import PATH
from portal.http import cookies
from portal.http.forms import Form, FormView, read_form
from portal.http.guard import public
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency
from portal.http.visit import Visit


class ClickForm(Form, frozen=True, kw_only=True):
    """One button."""


@get("/email/{token:str}")
async def email_page(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, token: FromPath[str]
) -> Response[Any]:
    return await _show(request, visit, person, token, None)


@post("/email/{token:str}", status_code=200)
async def submit_email_link(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    person: PersonDependency,
    deps: DepsDependency,
    token: FromPath[str],
) -> Response[Any]:
    form = await read_form(request, ClickForm)
    try:
        email = await confirm_change(deps, person, token, client=visit.client)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="email")
    except NatterError as error:
        return await _show(request, visit, person, token, form.fail(error))
    visit.flash(f"Your address is {email} now.")
    return redirect(request, PATH)


@public
@get("/email-back/{token:str}")
async def email_back_page(
    request: Request[Any, Any, Any], visit: VisitDependency, token: FromPath[str]
) -> Response[Any]:
    return await _show_back(request, visit, token, None)


@public
@post("/email-back/{token:str}", status_code=200)
async def submit_email_back(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency, token: FromPath[str]
) -> Response[Any]:
    """On to a new password, with a link as a mail would bring it: this mailbox is the account's again."""
    form = await read_form(request, ClickForm)
    try:
        reset = await revert_change(deps, token, client=visit.client)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="email-back")
    except NatterError as error:
        return await _show_back(request, visit, token, form.fail(error))
    visit.jar.delete(cookies.SESSION)
    visit.flash("Your address is back, and everybody is signed out. Set a new password now.")
    return redirect(request, f"/reset/{reset}")


async def _show(
    request: Request[Any, Any, Any], visit: Visit, person: Person, token: str, form: FormView | None
) -> Response[Any]:
    try:
        change = await look_up_change(visit.deps, person, token)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="email")
    return page(request, "accounts/email.html", form=form, change=change)


async def _show_back(request: Request[Any, Any, Any], visit: Visit, token: str, form: FormView | None) -> Response[Any]:
    try:
        change = await look_up_revert(visit.deps, token)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="email-back")
    return page(request, "accounts/email_back.html", form=form, change=change)


ROUTES: Final = [email_page, submit_email_link, email_back_page, submit_email_back]
