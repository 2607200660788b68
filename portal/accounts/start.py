"""`/`: to the organization that was looked at last, to the first one, or to the door."""

from typing import Any, Final

from litestar import Request, Response, get

from kernel.ids import encode
from portal.http import cookies
from portal.http.guard import public
from portal.http.page import redirect
from portal.http.scope import VisitDependency, load_organizations


@public
@get("/")
async def start(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    if visit.person is None:
        return redirect(request, "/sign-in")
    organizations = await load_organizations(visit, visit.person)
    if not organizations:
        return redirect(request, "/welcome")
    last = visit.jar.get(cookies.LAST)
    # A closed one comes last, as long as there is another.
    organizations.sort(key=lambda one: one.closed_at is not None)
    member = next((one for one in organizations if encode(one.organization_id) == last), organizations[0])
    return redirect(request, f"/organizations/{member.public_organization_id}")


ROUTES: Final = [start]
