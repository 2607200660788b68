"""`/theme`: light, dark, or as the device has it."""

from typing import Any, Final

from litestar import Request, Response, post

from portal.http import cookies
from portal.http.cookies import DAY
from portal.http.forms import Form, read_form
from portal.http.guard import public
from portal.http.page import own_path, redirect
from portal.http.scope import VisitDependency


class ThemeForm(Form, frozen=True, kw_only=True):
    theme: str = ""
    back: str = ""


@public
@post("/theme", status_code=303)
async def submit_theme(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    form = await read_form(request, ThemeForm)
    if form.data.theme in ("light", "dark"):
        visit.jar.set(cookies.THEME, form.data.theme, max_age=365 * DAY, readable=True)
    else:
        visit.jar.delete(cookies.THEME)
    if visit.fragment:
        # The page has changed its colours already.
        return Response(b"", status_code=204)
    return redirect(request, own_path(form.data.back))


ROUTES: Final = [submit_theme]
