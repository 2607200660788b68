"""After an app was made: its quickstart, the one page that shows its secret key."""

from typing import Any

from litestar import Request, Response

from control_plane.accounts.person import Person
from control_plane.tenants import NewApp
from portal.apps.quickstart.routes import quickstart_page
from portal.http.scope import enter_app
from portal.http.visit import Visit


async def show_created(request: Request[Any, Any, Any], visit: Visit, person: Person, made: NewApp) -> Response[Any]:
    """An answer to the form itself, not a redirect: the key is known now and never again."""
    scope = await enter_app(visit, person, made.app.id)
    visit.path = f"/apps/{made.app.public_id}/quickstart"
    answer = await quickstart_page(request, visit, scope, secret_key=made.secret_key)
    answer.headers["hx-push-url"] = visit.path
    return answer
