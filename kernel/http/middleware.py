"""A request id on every response and in every log line of the request, and one access line."""

import re
from typing import Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from kernel.clock import Clock
from kernel.ids import Ids
from kernel.logging import get_logger

_log = get_logger("http")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.-]{1,64}")


class RequestContext:
    """ASGI middleware. Takes the caller's `X-Request-Id` when it is harmless, makes one otherwise."""

    def __init__(self, app: ASGIApp, clock: Clock, ids: Ids) -> None:
        self.app = app
        self._clock = clock
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        method = str(scope.get("method", ""))
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else self._ids.new("req")
        scope.setdefault("state", {})["request_id"] = request_id
        started = self._clock.monotonic()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(requestId=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                latency = round((self._clock.monotonic() - started) * 1000, 1)
                level = _log.info if status < 500 else _log.error
                level("http.request", method=method, path=scope["path"], status=status, latency=latency)
