"""`/sign-in` and `/sign-out`."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromQuery

from control_plane.accounts.sessions import SignedIn, sign_out
from control_plane.accounts.sign_in import sign_in
from control_plane.context import Actor
from kernel.errors import NatterError
from portal.accounts.entering import enter, way_on
from portal.http import cookies
from portal.http.forms import Field, Form, read_form
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
        session = await sign_in(deps, email=form.data.email, password=form.data.password, client=visit.client)
    except NatterError as error:
        return page(request, "accounts/sign_in.html", form=form.fail(error), next=own_path(form.data.next, ""))
    await enter(visit, session)
    return redirect(request, way_on(visit, form.data.next))


@public
@post("/sign-out", status_code=303)
async def submit_sign_out(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    """Ends every session of this browser; without one it does nothing."""
    for signed_in in (visit.signed_in, visit.owner):
        if signed_in is not None:
            await _end(visit, signed_in)
    for name in (cookies.SESSION, cookies.OWNER, cookies.LAST, cookies.FLASH):
        visit.jar.delete(name)
    return redirect(request, "/sign-in")


async def _end(visit: Visit, signed_in: SignedIn) -> None:
    actor = signed_in.person.actor if signed_in.person else "operator:local"
    async with visit.deps.change(Actor(actor, visit.request_id)) as ctx:
        await sign_out(ctx, signed_in)


ROUTES: Final = [sign_in_page, submit_sign_in, submit_sign_out]
