"""HEAD as GET without the content, and an `Allow` header that tells the truth: what RFC 9110 asks of every path."""

from collections.abc import Iterable
from typing import cast

from litestar.enums import ScopeType
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Message, Receive, Scope, Send


class Methods:
    """ASGI middleware around the whole router."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._allowed: dict[str, set[str]] = {}
        for route in routes:
            if isinstance(route, HTTPRoute):
                self._allowed.setdefault(route.path_format, set()).update(route.methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        head = scope.get("method") == "HEAD"
        # A copy, because the server looks at its own to know that an answer to HEAD has no content.
        inner = cast(Scope, {**scope, "method": "GET"}) if head else scope

        async def send_checked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [self._true(header, inner) for header in message["headers"]]
            elif head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        await self._app(inner, receive, send_checked)

    def _true(self, header: tuple[bytes, bytes], scope: Scope) -> tuple[bytes, bytes]:
        if header[0].lower() != b"allow":
            return header
        # Litestar's own answer to OPTIONS knows those methods only that were there when it was made.
        methods = set(self._allowed.get(scope.get("path_template", ""), ())) or set(header[1].decode().split(", "))
        return header[0], ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))).encode()
