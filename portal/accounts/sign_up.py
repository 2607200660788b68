"""`/sign-up` and `/check-mail`."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromQuery

from control_plane.accounts.sign_up import sign_up
from kernel.errors import NatterError
from portal.accounts import check_mail
from portal.accounts.check_mail import Mailed
from portal.http import cookies
from portal.http.cookies import DAY
from portal.http.forms import Field, Form, read_form
from portal.http.guard import public
from portal.http.page import own_path, page, redirect
from portal.http.scope import DepsDependency, VisitDependency


class SignUpForm(Form, frozen=True, kw_only=True):
    name: Annotated[str, Field("Name", blank="Enter your name.")] = ""
    email: Annotated[str, Field("E-mail", blank="Enter your e-mail address.")] = ""
    password: Annotated[str, Field("Password", blank="Choose a password.")] = ""
    next: str = ""


@public
@get("/sign-up")
async def sign_up_page(
    request: Request[Any, Any, Any], visit: VisitDependency, next: FromQuery[str] = ""
) -> Response[Any]:
    if visit.person is not None:
        return redirect(request, own_path(next))
    return page(request, "accounts/sign_up.html", next=own_path(next, ""))


@public
@post("/sign-up", status_code=200)
async def submit_sign_up(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, SignUpForm)
    wanted = form.data
    try:
        form.check()
        attempt = await sign_up(
            deps, email=wanted.email, name=wanted.name, password=wanted.password, client=visit.client
        )
    except NatterError as error:
        return page(request, "accounts/sign_up.html", form=form.fail(error), next=own_path(wanted.next, ""))
    visit.jar.set(cookies.SIGN_UP, attempt, max_age=DAY)
    if wanted.next:
        visit.jar.set(cookies.NEXT, own_path(wanted.next), max_age=DAY)
    check_mail.remember(visit, Mailed("sign-up", wanted.email.strip()))
    return redirect(request, "/check-mail")


@public
@get("/check-mail")
async def check_mail_page(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency
) -> Response[Any]:
    mailed = check_mail.recall(visit)
    if mailed is None:
        return redirect(request, "/sign-in")
    development = deps.settings.environment == "development"
    return page(request, "accounts/check_mail.html", mailed=mailed, development=development)


ROUTES: Final = [sign_up_page, submit_sign_up, check_mail_page]
