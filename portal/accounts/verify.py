"""`/verify/{token}`: confirm an address. Opening the link changes nothing, since programs that scan mails do it too."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.sign_up import confirm, look_up_confirmation
from kernel.errors import NatterError
from portal.accounts.entering import enter, way_on
from portal.http import cookies
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.guard import public
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, VisitDependency
from portal.http.visit import Visit


class ConfirmForm(Form, frozen=True, kw_only=True):
    password: Annotated[str, Field("Password")] = ""


@public
@get("/verify/{token:str}")
async def verify_page(request: Request[Any, Any, Any], visit: VisitDependency, token: FromPath[str]) -> Response[Any]:
    return await _show(request, visit, token, None)


@public
@post("/verify/{token:str}", status_code=200)
async def submit_verify(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency, token: FromPath[str]
) -> Response[Any]:
    form = await read_form(request, ConfirmForm)
    cookie = visit.jar.get(cookies.SIGN_UP)
    try:
        session = await confirm(deps, token, cookie=cookie, password=form.data.password, client=visit.client)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="verify")
    except NatterError as error:
        return await _show(request, visit, token, form.fail(error))
    await enter(visit, session)
    visit.jar.delete(cookies.SIGN_UP)
    visit.flash("Your address is confirmed.")
    return redirect(request, way_on(visit))


async def _show(request: Request[Any, Any, Any], visit: Visit, token: str, form: FormView | None) -> Response[Any]:
    try:
        confirmation = await look_up_confirmation(visit.deps, token, cookie=visit.jar.get(cookies.SIGN_UP))
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="verify")
    return page(request, "accounts/verify.html", form=form, confirmation=confirmation)


ROUTES: Final = [verify_page, submit_verify]
