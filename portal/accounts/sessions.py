"""End sessions: of another browser, or of all others."""

from typing import Any, Final

from litestar import Request, Response, post
from litestar.params import FromPath

from control_plane.accounts.sessions import end_other_sessions, end_session
from control_plane.context import Actor
from portal.accounts.security import PATH
from portal.http import cookies
from portal.http.page import redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency, path_id
from portal.http.wording import plural


@post("/account/sessions/{session_id:str}/end", status_code=303)
async def submit_end(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    person: PersonDependency,
    deps: DepsDependency,
    session_id: FromPath[str],
) -> Response[Any]:
    wanted = path_id("ses", session_id)
    async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
        await end_session(ctx, person.account_id, wanted)
    assert visit.signed_in is not None
    if wanted == visit.signed_in.session_id:
        visit.jar.delete(cookies.SESSION)
        return redirect(request, "/sign-in")
    visit.flash("That browser is signed out.")
    return redirect(request, PATH)


@post("/account/sessions/end-others", status_code=303)
async def submit_end_others(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    assert visit.signed_in is not None
    async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
        ended = await end_other_sessions(ctx, person.account_id, keep=visit.signed_in.session_id)
    visit.flash(f"{plural(ended, 'other browser')} signed out.")
    return redirect(request, PATH)


ROUTES: Final = [submit_end, submit_end_others]
