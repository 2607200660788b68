"""What no request body or query may hold, wherever it goes."""

from typing import Any, Final

import orjson
from litestar import Request

from kernel.errors import InvalidInput

MAX_BODY_BYTES: Final = 262_144


async def refuse_nul(request: Request[Any, Any, Any]) -> None:
    """PostgreSQL text cannot hold U+0000; say so instead of failing deep inside. A `before_request` hook."""
    if "%00" in (request.scope.get("query_string") or b"").decode("latin-1") or "\x00" in request.url.path:
        raise InvalidInput("The URL holds a NUL character.")
    if request.method in ("POST", "PUT", "PATCH", "DELETE"):
        body = await request.body()
        # The escape may itself be escaped, so look closer only when it seems to be there.
        if b"\\u0000" in body and _holds_nul(body):
            raise InvalidInput("The body holds a NUL character (\\u0000), which text cannot store.")


def _holds_nul(body: bytes) -> bool:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return holds_nul(value)


def holds_nul(value: Any) -> bool:
    """Whether any string or key inside a decoded JSON value holds U+0000."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\x00" in item:
                return True
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False
