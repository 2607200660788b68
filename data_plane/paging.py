"""Pages of a list: keyset on an id, behind a cursor that callers pass back as it is."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from typing import TypeVar

from kernel.errors import InvalidInput

T = TypeVar("T")
V = TypeVar("V")


def encode_cursor(kind: str, key: str) -> str:
    """A cursor that stands after `key` in the list that `kind` names."""
    return urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str | None) -> str | None:
    """The key in a cursor; null without one. Raises `InvalidInput` for anything this list has not made."""
    if cursor is None:
        return None
    try:
        found, _, key = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode().partition(":")
    except (NotBase64, ValueError):
        found = key = ""
    # The decoder skips what is not base 64; only the exact form that was given out is taken back.
    if found != kind or not key or "\x00" in key or encode_cursor(kind, key) != cursor:
        raise InvalidInput("`cursor` must be the `next_cursor` of this list's page before.", field="cursor")
    return key


def page_of(
    rows: Sequence[T], limit: int, *, kind: str, key: Callable[[T], str], view: Callable[[T], V]
) -> tuple[list[V], str | None]:
    """Views and `next_cursor` from up to `limit + 1` rows; the one too many says that there is more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return [view(row) for row in shown], encode_cursor(kind, key(shown[-1])) if more else None
