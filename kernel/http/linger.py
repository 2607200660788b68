"""An answer that comes before the request's body was read must still reach its client.

A server that closes while a client is sending makes the network drop what was said: the client sees a broken
connection instead of 413. So the rest is read and thrown away first, within limits.
"""

import asyncio
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send

MOST_BYTES: Final = 8_000_000
MOST_SECONDS: Final = 5.0


class Linger:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        read = False

        async def receive_and_see() -> HTTPReceiveMessage:
            nonlocal read
            message: HTTPReceiveMessage = await receive()  # type: ignore[assignment]
            read = message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def send_after_reading(message: Message) -> None:
            if message["type"] == "http.response.start" and not read:
                await _throw_away(receive_and_see)
            await send(message)

        async def _throw_away(rest: Receive) -> None:
            left = MOST_BYTES
            try:
                async with asyncio.timeout(MOST_SECONDS):
                    while not read and left > 0:
                        left -= len((await rest()).get("body", b""))  # type: ignore[arg-type]
            except TimeoutError:
                pass

        await self._app(scope, receive_and_see, send_after_reading)


def _has_body(scope: Scope) -> bool:
    """Whether a body follows. One whose client waits to be asked for it (`Expect`) need not be sent at all."""
    names = {name: value for name, value in scope["headers"]}
    if b"expect" in names:
        return False
    return b"transfer-encoding" in names or names.get(b"content-length", b"0") != b"0"
