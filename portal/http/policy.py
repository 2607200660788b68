"""The headers that tell a browser what a page may do."""

from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = "content-security-policy"


def content_policy(*, connect: tuple[str, ...] = (), frame: tuple[str, ...] = ()) -> str:
    """The policy of a page: nothing inline, nothing from elsewhere, but for the origins that the page names."""
    parts = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": " ".join(("'self'", *connect)),
        "font-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    if frame:
        parts["frame-src"] = " ".join(frame)
    return "; ".join(f"{name} {value}" for name, value in parts.items())


_ALWAYS: Final = {
    POLICY: content_policy(),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()",
    "cache-control": "no-store",
}
_OVER_TLS: Final = {"strict-transport-security": "max-age=31536000"}


class Envelope:
    """ASGI middleware around everything that the management port serves: headers that no answer may lack, where the
    answer does not say something else, and the cookies of the visit."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        headers = {**_ALWAYS, **(_OVER_TLS if https else {})}
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return

        async def send_in_envelope(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                visit = scope["state"].get("visit")
                message["headers"] = [
                    *message["headers"],
                    *(header for header in self._headers if header[0] not in given),
                    *(visit.jar.headers() if visit is not None else ()),
                ]
            await send(message)

        await self._app(scope, receive, send_in_envelope)
