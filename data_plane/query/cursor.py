"""The cursor of a query: the place of a page's last row in the order of the sort, bound to the query that made it.

Not secret and not signed: whoever makes one up is at another place of what it may see anyway.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import msgspec

from kernel.errors import InvalidInput

MAX_CURSOR: Final = 4_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def fingerprint(resource: str, place: str, filter: Any, sort: Any) -> bytes:
    """What a cursor is bound to: the resource, where in it (a channel, for its members), filter and sort."""
    # Not orjson, which stops at 64 bits: a filter may hold any number that JSON has.
    said = json.dumps([resource, place, filter, sort], sort_keys=True)
    return blake2b(said.encode(), digest_size=8).digest()


def encode(query: bytes, place: Sequence[Any]) -> str:
    """The cursor that stands after a row with these keys; times as microseconds."""
    plain = [(key - _EPOCH) // _MICROSECOND if isinstance(key, datetime) else key for key in place]
    return urlsafe_b64encode(msgspec.msgpack.encode([query, *plain])).decode().rstrip("=")


def decode(query: bytes, cursor: str, types: Sequence[str]) -> list[Any]:
    """The keys in a cursor. Raises `InvalidInput` for what this query has not made."""
    try:
        found = msgspec.msgpack.decode(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (NotBase64, ValueError, msgspec.MsgspecError):
        found = None
    if not isinstance(found, list) or not found or not isinstance(found[0], bytes) or len(found[0]) != len(query):
        raise InvalidInput("`cursor` must be the `next_cursor` of this query's page before.", field="cursor")
    if found[0] != query:
        raise InvalidInput(
            "`cursor` belongs to another query: send it with the filter and sort that it was given for.", field="cursor"
        )
    if len(found) != len(types) + 1:
        raise InvalidInput("`cursor` must be the `next_cursor` of this query's page before.", field="cursor")
    return [_key(kind, value) for kind, value in zip(types, found[1:], strict=True)]


def _key(kind: str, value: Any) -> Any:
    if kind == "time" and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**55:
        return _EPOCH + value * _MICROSECOND
    if kind == "number" and isinstance(value, float):
        return value
    if kind == "text" and isinstance(value, str) and "\x00" not in value:
        return value
    raise InvalidInput("`cursor` must be the `next_cursor` of this query's page before.", field="cursor")
