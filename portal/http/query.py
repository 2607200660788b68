"""What a page's address may hold. Pages ignore what they do not know, and refuse what no text can be."""

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from litestar import Request

from kernel.errors import InvalidInput

_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_query(request: Request[Any, Any, Any]) -> None:
    """Raises `InvalidInput` for a NUL character and for what is not UTF-8."""
    query = request.scope["query_string"].decode("latin-1")
    try:
        text = unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise InvalidInput("The address holds bytes that are no text.") from None
    if "\x00" in text or _BAD_PERCENT.search(query):
        raise InvalidInput("The address holds something that no text can be.")
