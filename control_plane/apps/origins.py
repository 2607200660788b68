"""The form of an allowed origin."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from kernel.errors import InvalidInput

MAX_ORIGINS: Final = 100


def check_origins(origins: Sequence[str]) -> list[str]:
    """The origins as a browser sends them (lower case, no default port), each once. Raises `InvalidInput`."""
    if not 1 <= len(origins) <= MAX_ORIGINS:
        raise InvalidInput(f"`allowed_origins` must hold 1 to {MAX_ORIGINS} origins, or `*`.", field="allowed_origins")
    checked = list(dict.fromkeys("*" if origin == "*" else _normal(origin) for origin in origins))
    if "*" in checked and len(checked) > 1:
        raise InvalidInput("`allowed_origins` is either `*` alone or a list of origins.", field="allowed_origins")
    return checked


def _normal(origin: str) -> str:
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    bare = f"{parts.scheme}://{parts.netloc}".lower() == origin.lower() and "@" not in origin
    if parts.scheme not in ("http", "https") or not host or not bare or not origin.isascii() or "*" in origin:
        raise InvalidInput(
            f"{origin[:200]!r} is not an origin: scheme and host, such as https://chat.example.com, and no path.",
            field="allowed_origins",
        )
    if port == {"http": 80, "https": 443}[parts.scheme]:
        port = None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
