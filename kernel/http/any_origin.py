"""Routes that web pages of any origin may read: what they answer depends on no cookie."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send


def readable_by_any_page(app: ASGIApp) -> ASGIApp:
    """Middleware of one route; its errors can be read too, which a header of the handler's answer would not do."""

    async def readable(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_permission(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"access-control-allow-origin", b"*")]
            await send(message)

        await app(scope, receive, send_with_permission if scope["type"] == ScopeType.HTTP else send)

    return readable
