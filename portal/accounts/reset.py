"""`/reset` and `/reset/{token}`."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.reset import look_up_reset, request_reset, reset_password
from kernel.errors import NatterError
from portal.accounts import check_mail
from portal.accounts.check_mail import Mailed
from portal.accounts.entering import enter_by_steps
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.guard import public
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, VisitDependency


class ResetForm(Form, frozen=True, kw_only=True):
    email: Annotated[str, Field("E-mail", blank="Enter your e-mail address.")] = ""


class NewPasswordForm(Form, frozen=True, kw_only=True):
    password: Annotated[str, Field("Password", blank="Choose a password.")] = ""


@public
@get("/reset")
async def reset_page(request: Request[Any, Any, Any]) -> Response[Any]:
    return page(request, "accounts/reset.html")


@public
@post("/reset", status_code=200)
async def submit_reset(request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency) -> Response[Any]:
    form = await read_form(request, ResetForm)
    try:
        form.check()
        await request_reset(deps, email=form.data.email, client=visit.client)
    except NatterError as error:
        return page(request, "accounts/reset.html", form=form.fail(error))
    check_mail.remember(visit, Mailed("reset", form.data.email.strip()))
    return redirect(request, "/check-mail")


@public
@get("/reset/{token:str}")
async def new_password_page(
    request: Request[Any, Any, Any], deps: DepsDependency, token: FromPath[str]
) -> Response[Any]:
    return await _show(request, deps, token, None)


@public
@post("/reset/{token:str}", status_code=200)
async def submit_new_password(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency, token: FromPath[str]
) -> Response[Any]:
    form = await read_form(request, NewPasswordForm)
    try:
        form.check()
        entered = await reset_password(deps, token, password=form.data.password, client=visit.client)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="reset")
    except NatterError as error:
        return await _show(request, deps, token, form.fail(error))
    visit.flash("Your password is set. Every other browser was signed out.")
    return redirect(request, await enter_by_steps(visit, entered))


async def _show(
    request: Request[Any, Any, Any], deps: DepsDependency, token: str, form: FormView | None
) -> Response[Any]:
    try:
        email = await look_up_reset(deps, token)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="reset")
    return page(request, "accounts/new_password.html", form=form, email=email)


ROUTES: Final = [reset_page, submit_reset, new_password_page, submit_new_password]
