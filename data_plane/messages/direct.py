"""Pages of history in front of the router: what a client asks for most, at a fraction of what the router costs.

Only the plain case is known here. Anything else (another query, a cookie, a body, a header twice) is left to the route
in `routes.py`, which says what is wrong with it. Both give the same answers; see ADR 0013.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from data_plane.dependencies import ID_PATTERN, MESSAGE_ID_PATTERN, require_scope
from data_plane.identity.activity import ActivityTracker
from data_plane.identity.authenticate import Authenticator, count_as_active
from data_plane.limits.limiter import Limiter
from data_plane.limits.rest import charge_reader, charge_stranger
from data_plane.messages.history import Window, read_history, window_of
from data_plane.shard import Shard
from kernel.errors import NatterError
from kernel.http.problems import problem_answer
from kernel.http.ratelimit import address_of
from kernel.http.url import SINGLE

_PATH: Final = re.compile(rf"/v1/channels/({ID_PATTERN[1:-2]})/messages")
_ANCHOR: Final = re.compile(rf"[0-9]{{1,15}}|{MESSAGE_ID_PATTERN[1:-2]}")
_LIMIT: Final = re.compile(r"[1-9][0-9]?|100")
_ANCHORS: Final = frozenset({"before", "after", "around"})
_NEVER: Final = re.compile(rb"(?!)")
_PLAIN: Final = {
    b"host": re.compile(rb"[A-Za-z0-9.:\[\]-]{1,255}"),
    b"content-length": re.compile(rb"0"),
    b"transfer-encoding": _NEVER,
    b"expect": _NEVER,
    b"cookie": _NEVER,
}
"""What these headers hold in a request that is plain."""

Header = tuple[bytes, bytes]


class _Asked(NamedTuple):
    channel_id: str
    window: Window
    limit: int
    credential: str
    origin: str | None


class DirectHistory:
    """ASGI middleware. `cors` is the application's: pages of other origins get the same headers from both."""

    def __init__(
        self,
        app: ASGIApp,
        shard: Shard,
        authenticator: Authenticator,
        activity: ActivityTracker,
        limiter: Limiter,
        cors: CORSConfig,
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._shard = shard
        self._authenticator = authenticator
        self._activity = activity
        self._for_pages = _cors_headers(cors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _read(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        status, headers = 200, [(b"content-type", b"application/json")]
        try:
            body = await self._page(scope, asked)
        except Exception as error:
            request_id = scope.get("state", {}).get("request_id")
            status, named, body = problem_answer(error, scope["path"], request_id)
            headers = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
        headers.append((b"content-length", b"%d" % len(body)))
        if asked.origin is not None:
            headers += self._for_pages
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _page(self, scope: Scope, asked: _Asked) -> bytes:
        try:
            reader = self._authenticator.bearer(
                asked.credential, origin=asked.origin, address=lambda: address_of(scope)
            )
        except NatterError:
            await charge_stranger(self._limiter, scope)
            raise
        await charge_reader(self._limiter, scope, reader)
        await count_as_active(self._activity, reader)
        require_scope(reader, "messages")
        return await read_history(self._shard, reader, asked.channel_id, asked.window, asked.limit)


def _read(scope: Scope) -> _Asked | None:
    """What a request asks for; null when the router shall see to it."""
    if scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
        return None
    path = _PATH.fullmatch(scope["path"])
    wanted = _wanted(scope["query_string"]) if path is not None else None
    if path is None or wanted is None:
        return None
    credential, origin = "", None
    seen: set[bytes] = set()
    for name, value in scope["headers"]:
        if name in SINGLE:
            if name in seen:
                return None
            seen.add(name)
            if name == b"authorization":
                scheme, _, credential = value.decode("latin-1").partition(" ")
                if scheme.lower() != "bearer":
                    return None
            elif name == b"origin":
                origin = value.decode("latin-1")
        elif (plain := _PLAIN.get(name)) is not None and plain.fullmatch(value) is None:
            return None
    if not (credential := credential.strip()):
        return None
    return _Asked(path[1], *wanted, credential, origin)


@lru_cache(1024)
def _wanted(query: bytes) -> tuple[Window, int] | None:
    """The window and limit of a query; null when it holds anything but a good limit and one good anchor."""
    given: dict[str, str] = {}
    for pair in query.decode("latin-1").split("&") if query else ():
        name, _, value = pair.partition("=")
        if name in given:
            return None
        given[name] = value
    limit = given.pop("limit", "50")
    if not _LIMIT.fullmatch(limit) or len(given) > 1 or not given.keys() <= _ANCHORS:
        return None
    if not all(map(_ANCHOR.fullmatch, given.values())):
        return None
    before, after, around = given.get("before"), given.get("after"), given.get("around")
    return window_of(limit=int(limit), before=before, after=after, around=around), int(limit)


def _cors_headers(cors: CORSConfig) -> list[Header]:
    """What Litestar's own middleware adds for a page whose request brings no cookie."""
    headers = {
        **cors.simple_headers,
        "Access-Control-Allow-Headers": ", ".join(sorted(set(cors.allow_headers))),
        "Access-Control-Allow-Methods": ", ".join(sorted(set(cors.allow_methods))),
    }
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
