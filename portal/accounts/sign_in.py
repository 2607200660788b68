"""`/sign-in` and `/sign-out`."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromQuery

from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.second_step import finish_sign_in, look_up_second_step
from control_plane.accounts.sessions import SignedIn, sign_out
from control_plane.accounts.sign_in import sign_in
from control_plane.context import Actor
from kernel.errors import NatterError
from portal.accounts.entering import enter, enter_by_steps, way_on
from portal.http import cookies
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.guard import public
from portal.http.page import own_path, page, redirect
from portal.http.scope import DepsDependency, VisitDependency
from portal.http.visit import Visit


class SignInForm(Form, frozen=True, kw_only=True):
    email: Annotated[str, Field("E-mail", blank="Enter your e-mail address.")] = ""
    password: Annotated[str, Field("Password", blank="Enter your password.")] = ""
    next: str = ""


@public
@get("/sign-in")
async def sign_in_page(
    request: Request[Any, Any, Any], visit: VisitDependency, next: FromQuery[str] = ""
) -> Response[Any]:
    if visit.person is not None:
        return redirect(request, own_path(next))
    return page(request, "accounts/sign_in.html", next=own_path(next, ""))


@public
@post("/sign-in", status_code=200)
async def submit_sign_in(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, SignInForm)
    try:
        form.check()
        entered = await sign_in(deps, email=form.data.email, password=form.data.password, client=visit.client)
    except NatterError as error:
        return page(request, "accounts/sign_in.html", form=form.fail(error), next=own_path(form.data.next, ""))
    return redirect(request, await enter_by_steps(visit, entered, next=form.data.next))


class CodeForm(Form, frozen=True, kw_only=True):
    code: Annotated[str, Field("Code", blank="Enter the code.")] = ""


@public
@get("/sign-in/code")
async def code_page(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    return await _show_code(request, visit, None)


@public
@post("/sign-in/code", status_code=200)
async def submit_code(request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency) -> Response[Any]:
    form = await read_form(request, CodeForm)
    try:
        form.check()
        session = await finish_sign_in(
            deps, visit.jar.get(cookies.SECOND_STEP), code=form.data.code, client=visit.client
        )
    except LinkInvalid:
        return _from_the_start(request, visit)
    except NatterError as error:
        return await _show_code(request, visit, form.fail(error))
    visit.jar.delete(cookies.SECOND_STEP)
    await enter(visit, session)
    return redirect(request, way_on(visit))


async def _show_code(request: Request[Any, Any, Any], visit: Visit, form: FormView | None) -> Response[Any]:
    try:
        email = await look_up_second_step(visit.deps, visit.jar.get(cookies.SECOND_STEP))
    except LinkInvalid:
        return _from_the_start(request, visit)
    return page(request, "accounts/sign_in_code.html", form=form, email=email)


def _from_the_start(request: Request[Any, Any, Any], visit: Visit) -> Response[Any]:
    """The first step is too long ago, or the password has changed since."""
    if visit.jar.get(cookies.SECOND_STEP):
        visit.jar.delete(cookies.SECOND_STEP)
        visit.flash("That took more than ten minutes. Sign in again.", "danger")
    return redirect(request, "/sign-in")


@public
@post("/sign-out", status_code=303)
async def submit_sign_out(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    """Ends every session of this browser; without one it does nothing."""
    for signed_in in (visit.signed_in, visit.owner):
        if signed_in is not None:
            await _end(visit, signed_in)
    for name in (cookies.SESSION, cookies.OWNER, cookies.LAST, cookies.FLASH, cookies.SECOND_STEP):
        visit.jar.delete(name)
    return redirect(request, "/sign-in")


async def _end(visit: Visit, signed_in: SignedIn) -> None:
    actor = signed_in.person.actor if signed_in.person else "operator:local"
    async with visit.deps.change(Actor(actor, visit.request_id)) as ctx:
        await sign_out(ctx, signed_in)


ROUTES: Final = [sign_in_page, submit_sign_in, code_page, submit_code, submit_sign_out]
