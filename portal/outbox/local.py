"""`/local/{token}`: the link of the start screen. Opening it changes nothing; its one button opens the outbox."""

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.local import look_up_local, open_local
from portal.accounts.entering import keep
from portal.http.forms import Form, read_form
from portal.http.guard import public
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, VisitDependency


class OpenForm(Form, frozen=True, kw_only=True):
    """One button."""


@public
@get("/local/{token:str}")
async def local_page(request: Request[Any, Any, Any], deps: DepsDependency, token: FromPath[str]) -> Response[Any]:
    try:
        await look_up_local(deps, token)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="outbox")
    return page(request, "outbox/local.html")


@public
@post("/local/{token:str}", status_code=200)
async def submit_local(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency, token: FromPath[str]
) -> Response[Any]:
    await read_form(request, OpenForm)
    try:
        session = await open_local(deps, token, client=visit.client)
    except LinkInvalid:
        return page(request, "accounts/link_ended.html", status=404, purpose="outbox")
    keep(visit, session)
    return redirect(request, "/outbox")


ROUTES: Final = [local_page, submit_local]
