"""Who may open what. Nothing is open that does not say so."""

from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from control_plane.accounts.sessions import resolve
from control_plane.accounts.step_up import confirm_session
from control_plane.context import Deps
from kernel.errors import NatterError, NotFound, Unauthenticated
from portal.http import cookies
from portal.http.csrf import CONFIRMING, FIELD, UNSAFE, check_source
from portal.http.query import check_query
from portal.http.visit import ConfirmationNeeded, Despite, Visit, open_visit

ACCESS: Final = "access"
CONFIRMED: Final = "confirmed"
ANYWAY: Final = "open_anyway"
FORM: Final = "application/x-www-form-urlencoded"
_Handler = TypeVar("_Handler", bound=BaseRouteHandler)


class SignInNeeded(Unauthenticated):
    """Nobody is signed in; `back` is where to go afterwards."""

    code = "sign_in_needed"
    title = "Sign in to see this page"

    def __init__(self, back: str = "") -> None:
        super().__init__()
        self.back = back


def public(handler: _Handler) -> _Handler:
    """Mark a page that everybody may open: `@public` above `@get(…)`."""
    handler.opt[ACCESS] = "public"
    return handler


def for_outbox(handler: _Handler) -> _Handler:
    """Mark a page of the outbox: for staff and for the machine's owner, not there for anybody else."""
    handler.opt[ACCESS] = "outbox"
    return handler


def for_staff(handler: _Handler) -> _Handler:
    """Mark a page for who operates the installation; it is not there for anybody else."""
    handler.opt[ACCESS] = "staff"
    return handler


def confirmed(handler: _Handler) -> _Handler:
    """Mark what only a session may do whose holder has proven in the last ten minutes who he is. A page is come back
    to; a form is kept and goes on once it is proven. Where it depends, a handler asks `visit.require_confirmed()`."""
    handler.opt[CONFIRMED] = True
    return handler


def open_anyway(*despite: Despite) -> Callable[[_Handler], _Handler]:
    """Mark a page of an organization that is there, for its owners, even while it is `closed`, or for members without
    the `two-step` sign-in that it wants: the ways out."""

    def mark(handler: _Handler) -> _Handler:
        handler.opt[ANYWAY] = frozenset(despite)
        return handler

    return mark


def portal_guard(deps: Deps) -> Guard:
    """The guard of the portal's router: it runs before anything else does, on every route of it."""

    async def check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        assert isinstance(connection, Request)
        visit = open_visit(connection, deps)
        check_query(connection)
        visit.open_anyway = handler.opt.get(ANYWAY, frozenset())
        await _resolve(visit)
        access = handler.opt.get(ACCESS)
        if access == "outbox":
            if visit.owner is None and not (visit.person and visit.person.staff):
                raise NotFound()
        elif access == "staff":
            if visit.person is None or not visit.person.staff:
                raise NotFound()
        elif access != "public" and visit.person is None:
            raise SignInNeeded(way_back(connection))
        if connection.method in UNSAFE:
            await check_source(connection, visit)
            await _read_confirmation(connection, visit)
        if handler.opt.get(CONFIRMED):
            visit.require_confirmed()

    return check


async def _read_confirmation(request: Request[Any, Any, Any], visit: Visit) -> None:
    """Keep what was sent, and confirm the session where the form brought along what that takes."""
    if visit.signed_in is None or not request.headers.get("content-type", "").startswith(FORM):
        return
    try:
        body = (await request.body()).decode("ascii")
        pairs = parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError:
        return  # The handler says what is wrong with it.
    visit.sent = tuple((name, value) for name, value in pairs if name != FIELD and name not in CONFIRMING)
    if visit.path == "/confirm" or not any(name in CONFIRMING for name, _ in pairs):
        return
    typed = dict(pairs)
    password, code = (typed.get(name, "") for name in CONFIRMING)
    try:
        session = await confirm_session(visit.deps, visit.signed_in, password=password, code=code, client=visit.client)
    except NatterError as error:
        raise ConfirmationNeeded(error) from None
    visit.keep_confirmed(session)


async def _resolve(visit: Visit) -> None:
    if token := visit.jar.get(cookies.SESSION):
        found = await resolve(visit.deps, token)
        visit.signed_in = found if found and found.kind == "account" else None
    if token := visit.jar.get(cookies.OWNER):
        found = await resolve(visit.deps, token)
        visit.owner = found if found and found.kind == "owner" else None


def way_back(request: Request[Any, Any, Any]) -> str:
    """The page that was asked for, or the page whose form or part it was."""
    if request.method == "GET" and request.headers.get("hx-request") != "true":
        query = request.scope["query_string"].decode("latin-1")
        return request.scope["path"] + (f"?{query}" if query else "")
    sent = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer", ""))
    return sent.path if sent.netloc == request.headers.get("host") else ""
