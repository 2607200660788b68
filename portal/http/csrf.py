"""Requests that change something come from our own pages, or are refused.

Three things must agree: a token that only this browser's pages hold, what the browser says of the page that sent the
request (`Sec-Fetch-Site`), and that page's origin. The token alone would do; the others stand if it ever leaks.
"""

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from litestar import Request

from kernel.errors import Forbidden
from portal.http import seal
from portal.http.visit import Visit

UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HEADER: Final = "x-csrf-token"
FIELD: Final = "csrf"
CONFIRMING: Final = ("confirm_password", "confirm_code")
"""What the guard asks for on the way of a form that wants a confirmed session; no such form has these itself."""


class NotFromHere(Forbidden):
    """The request did not come from a page of ours, or from one of another session."""

    code = "not_from_here"
    title = "This form is out of date"


async def check_source(request: Request[Any, Any, Any], visit: Visit) -> None:
    """Raises `NotFromHere`."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise NotFromHere("The request came from another site, so nothing was changed.")
    origin = request.headers.get("origin")
    if origin is not None and not _is_ours(origin, request, visit):
        raise NotFromHere("The request came from another site, so nothing was changed.")
    token = request.headers.get(HEADER) or await _field(request)
    if not seal.signed_by_us(visit.deps.vault, "csrf", token, visit.binding):
        raise NotFromHere(
            "It was open for long, or you signed in or out in the meantime. Nothing was changed. "
            "Go back, reload the page and send it again."
        )


def _is_ours(origin: str, request: Request[Any, Any, Any], visit: Visit) -> bool:
    """The configured address, or the host that this request itself went to: a machine may have several names."""
    if origin == _origin_of(visit.deps.settings.portal):
        return True
    host = request.headers.get("host", "")
    return bool(host) and urlsplit(origin).scheme in ("http", "https") and urlsplit(origin).netloc == host


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _field(request: Request[Any, Any, Any]) -> str:
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return next((value for name, value in parse_qsl(body, max_num_fields=200) if name == FIELD), "")
    except ValueError:
        return ""
