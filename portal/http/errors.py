"""Failures as pages. Programs get the same failure as a problem document."""

from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response
from litestar.enums import MediaType

from control_plane.context import Deps
from kernel.errors import Forbidden, NatterError
from kernel.http.problems import as_natter_error, render_problem
from kernel.logging import get_logger
from portal.http.forms import ConfirmForm, Submitted
from portal.http.guard import SignInNeeded, way_back
from portal.http.page import render
from portal.http.scope import OrganizationClosed
from portal.http.visit import ConfirmationNeeded, Visit, open_visit

_log = get_logger(__name__)
_FOR_PROGRAMS: Final = ("/v1/", "/internal/", "/healthz", "/readyz", "/metrics")
DEPS = "portal_deps"
"""Where the application's state keeps its parts, for errors of paths that no route serves."""


def render_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The application's exception handler."""
    if request.scope["path"].startswith(_FOR_PROGRAMS) or _wants_json(request):
        return render_problem(request, error)
    deps: Deps = request.app.state[DEPS]
    visit = open_visit(request, deps)
    if isinstance(error, SignInNeeded):
        return _to_sign_in(visit, error.back)
    if isinstance(error, ConfirmationNeeded):
        return _to_confirm(request, visit, error)
    if isinstance(error, OrganizationClosed) and error.member.role == "owner" and not visit.fragment:
        target = f"/organizations/{error.member.public_organization_id}/closed"
        if visit.boosted:
            return Response(b"", status_code=403, headers={"hx-redirect": target})
        return Response(b"", status_code=303, headers={"location": target})
    known = as_natter_error(error)
    if known.status >= 500 and not isinstance(error, NatterError):
        _log.error("portal.failed", exc_info=error, path=request.scope["path"], requestId=visit.request_id)
    headers: dict[str, str] = {}
    if known.retry_after is not None:
        headers["retry-after"] = str(max(1, round(known.retry_after)))
    if visit.fragment:
        # The failed part leaves the page as it is; the word about it comes up in the corner.
        headers |= {"hx-retarget": "#notices", "hx-reswap": "beforeend", "hx-push-url": "false"}
        template = "layout/error_notice.html"
    else:
        template = _template(visit, known)
    html = render(request, template, visit=visit, error=known, form=None)
    return Response(html, status_code=known.status, media_type=MediaType.HTML, headers=headers)


def _template(visit: Visit, error: NatterError) -> str:
    """Inside the organization where somebody may not do something; a page of its own for everything else."""
    inside = visit.navigation is not None and visit.navigation.member is not None
    return "layout/forbidden.html" if inside and isinstance(error, Forbidden) else "layout/error.html"


def _to_sign_in(visit: Visit, back: str) -> Response[bytes]:
    target = f"/sign-in?next={quote(back, safe='/')}" if back not in ("", "/") else "/sign-in"
    if visit.fragment or visit.boosted:
        return Response(b"", status_code=401, headers={"hx-redirect": target})
    return Response(b"", status_code=303, headers={"location": target})


def _to_confirm(request: Request[Any, Any, Any], visit: Visit, error: ConfirmationNeeded) -> Response[Any]:
    """A page waits behind the question who it is; a form that was sent is kept in it and goes on with the answer."""
    if request.method == "GET" or visit.fragment:
        if request.method != "GET":
            visit.flash("Nothing was changed yet. Confirm that it is you, then do it again.", "danger")
        back = way_back(request)
        if request.method == "GET" and visit.boosted:
            query = request.scope["query_string"].decode("latin-1")
            back = request.scope["path"] + (f"?{query}" if query else "")
        target = f"/confirm?next={quote(back, safe='/')}"
        if visit.fragment or visit.boosted:
            return Response(b"", status_code=403, headers={"hx-redirect": target})
        return Response(b"", status_code=303, headers={"location": target})
    form = Submitted(ConfirmForm()).fail(error.wrong) if error.wrong is not None else None
    html = render(
        request, "accounts/confirm.html", visit=visit, form=form, action=request.scope["path"], kept=visit.sent, next=""
    )
    headers = {"hx-push-url": "false"}
    if form is not None and form.retry_after is not None:
        headers["retry-after"] = str(max(1, round(form.retry_after)))
    return Response(html, status_code=form.status if form else 403, media_type=MediaType.HTML, headers=headers)


def _wants_json(request: Request[Any, Any, Any]) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept
