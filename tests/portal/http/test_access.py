"""Nothing is open that does not say so."""

from collections.abc import Callable

from litestar import Litestar, Response, get
from litestar.enums import MediaType

from portal.http.guard import ACCESS
from portal.http.guard import CONFIRMED as ASKS
from tests.portal.harness import Portal
from tests.portal.pages import FILES, NO_PAGES, furnish, page_routes, path_of

OPEN = {
    "/",
    "/sign-up",
    "/check-mail",
    "/verify/{token}",
    "/sign-in",
    "/sign-in/code",
    "/email-back/{token}",
    "/reset",
    "/reset/{token}",
    "/invitations/{token}",
    "/local/{token}",
    "/docs/api",
    "/docs/errors",
    "/docs/realtime",
}
"""Pages that everybody may open. A page is added here by somebody who means it."""
FOR_STAFF = {"/staff/webhooks"}
FOR_OUTBOX = {"/outbox", "/outbox/{mail_id}", "/outbox/{mail_id}/body"}


def without_guard(app: Litestar) -> set[str]:
    """Routes for browsers that the portal's guard does not watch."""
    return {
        route.path_format
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if not route.path_format.startswith(NO_PAGES) and not handler.resolve_guards()
    }


async def test_only_what_is_meant_to_be_open_is(shared_portal: Portal) -> None:
    marked: dict[str, set[str]] = {"public": set(), "outbox": set(), "staff": set()}
    for route in shared_portal.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if "GET" in handler.http_methods and ACCESS in handler.opt:
                marked[handler.opt[ACCESS]].add(route.path_format)
    assert marked == {"public": OPEN, "outbox": FOR_OUTBOX, "staff": FOR_STAFF}


CONFIRMED = {
    "POST /staff/webhooks/{event_id}/replay",
    "POST /staff/webhooks/refused/{command_id}/again",
    "POST /staff/webhooks/refused/{command_id}/drop",
    "POST /account/email",
    "POST /account/two-step/offer",
    "GET /account/two-step",
    "POST /account/two-step",
    "GET /account/two-step/off",
    "POST /account/two-step/off",
    "GET /account/recovery-codes",
    "POST /account/recovery-codes",
    "POST /organizations/{organization_id}/members/{account_id}/remove",
    "POST /organizations/{organization_id}/two-step",
    "POST /organizations/{organization_id}/transfer",
    "POST /organizations/{organization_id}/transfer/accept",
    "GET /organizations/{organization_id}/close",
    "POST /organizations/{organization_id}/close",
    "POST /organizations/{organization_id}/restore",
    "GET /organizations/{organization_id}/export",
    "GET /apps/{app_id}/keys/{key_id}/revoke",
    "POST /apps/{app_id}/keys/{key_id}/revoke",
}
"""What asks once more who one is. Secret keys ask in production only, see `test_security.py`; a new password asks for
the current one."""


async def test_what_cannot_be_taken_back_asks_who_one_is(shared_portal: Portal) -> None:
    marked = {
        f"{method} {route.path_format}"
        for route in shared_portal.app.routes
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods & {"GET", "POST"}
        if handler.opt.get(ASKS)
    }
    assert marked == CONFIRMED


async def test_strangers_are_sent_to_the_door(shared_portal: Portal, address: Callable[[], str]) -> None:
    house = await furnish(shared_portal, address, "Analytical Engines")
    client = await shared_portal.client()
    for route in [*page_routes(shared_portal.app), *FILES]:
        answer = await client.get(path_of(route, house))
        if route in OPEN:
            assert answer.status_code in (200, 303), route
        elif route in FOR_OUTBOX | FOR_STAFF:
            assert answer.status_code == 404, route
        else:
            assert answer.status_code == 303, route
            assert answer.headers["location"].startswith("/sign-in?next=/"), route


async def test_every_page_stands_behind_the_guard(own_portal: Portal) -> None:
    assert without_guard(own_portal.app) == set()

    @get("/planted", media_type=MediaType.TEXT, sync_to_thread=False)
    def planted() -> Response[str]:
        return Response("open to all")

    own_portal.app.register(planted)
    assert without_guard(own_portal.app) == {"/planted"}
