"""`/confirm`: whoever is signed in proves it once more, on the way to a page that wants it."""

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromQuery

from control_plane.accounts.step_up import confirm_session
from kernel.errors import NatterError
from portal.http.forms import ConfirmForm, FormView, read_form
from portal.http.page import own_path, page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency


@get("/confirm")
async def confirm_page(
    request: Request[Any, Any, Any], person: PersonDependency, next: FromQuery[str] = ""
) -> Response[Any]:
    return _show(request, next, None)


@post("/confirm", status_code=200)
async def submit_confirm(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, ConfirmForm)
    assert visit.signed_in is not None
    try:
        session = await confirm_session(
            deps,
            visit.signed_in,
            password=form.data.confirm_password,
            code=form.data.confirm_code,
            client=visit.client,
        )
    except NatterError as error:
        return _show(request, form.data.next, form.fail(error))
    visit.keep_confirmed(session)
    return redirect(request, own_path(form.data.next))


def _show(request: Request[Any, Any, Any], next: str, form: FormView | None) -> Response[Any]:
    return page(request, "accounts/confirm.html", form=form, action="/confirm", kept=(), next=own_path(next))


ROUTES: Final = [confirm_page, submit_confirm]
