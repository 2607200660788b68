"""Identifiers: a prefix that names the kind and 26 characters that sort by time.

The 26 characters are a UUIDv7 (RFC 9562) in Crockford's base 32, lower case, so a database stores 16 bytes
and a person reads `msg_06a8n…`. Customers' own ids (users, channels) are plain strings, see `CUSTOMER_ID`.
"""

import os
import re
import struct
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from uuid import UUID, SafeUUID

from kernel.clock import Clock, SystemClock
from kernel.errors import InvalidInput

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {c: i for i, c in enumerate(_ALPHABET)}
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_CHARACTERS: Final = bytes.maketrans(bytes(range(32)), _ALPHABET.encode())
_LANE: Final = 32
_GAP: Final = bytes(_LANE - 16)

CUSTOMER_ID: Final = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
"""What a customer may use as the id of a user or a channel."""


ID_CHARACTER: Final = "[0-9a-hjkmnp-tv-z]"
"""One of the 26, in a pattern."""


def encode(value: UUID) -> str:
    """26 characters that sort as the UUID's bytes do."""
    return _encoded(value.int)


def _encoded(n: int) -> str:
    pairs = _PAIRS
    # Every message makes a few of these, so it is written out: 13 pairs of 5 bits each.
    return (
        f"{pairs[n >> 120]}{pairs[n >> 110 & 1023]}{pairs[n >> 100 & 1023]}{pairs[n >> 90 & 1023]}"
        f"{pairs[n >> 80 & 1023]}{pairs[n >> 70 & 1023]}{pairs[n >> 60 & 1023]}{pairs[n >> 50 & 1023]}"
        f"{pairs[n >> 40 & 1023]}{pairs[n >> 30 & 1023]}{pairs[n >> 20 & 1023]}{pairs[n >> 10 & 1023]}{pairs[n & 1023]}"
    )


def encode_all(values: Sequence[bytes]) -> list[str]:
    """`encode` of many UUIDs' bytes, in a few operations on one large number instead of many small ones.

    Each UUID lies in a lane of 32 bytes. In five steps its 26 groups of 5 bits move to a byte each: the bits of a
    group's index say by how much, `3 * index` bits in all.
    """
    number = int.from_bytes(_GAP + _GAP.join(values), "big")
    for moving, staying, distance in _spreading(len(values)):
        number = (number & moving) << distance | number & staying
    text = number.to_bytes(_LANE * len(values), "big").translate(_CHARACTERS).decode()
    return [text[at : at + 26] for at in range(_LANE - 26, len(text), _LANE)]


@lru_cache(256)
def _spreading(lanes: int) -> list[tuple[int, int, int]]:
    """The steps of `encode_all`: which bits of all lanes move, which stay, and how far they move."""

    def everywhere(mask: int) -> int:
        return sum(mask << (8 * _LANE * lane) for lane in range(lanes))

    steps, places = [], [5 * group for group in range(26)]
    for bit in (16, 8, 4, 2, 1):
        moving = sum(31 << place for group, place in enumerate(places) if group & bit)
        staying = sum(31 << place for group, place in enumerate(places) if not group & bit)
        steps.append((everywhere(moving), everywhere(staying), 3 * bit))
        places = [place + 3 * (group & bit) for group, place in enumerate(places)]
    return steps


def decode(text: str) -> UUID:
    """The UUID behind 26 characters. Raises `ValueError` for anything `encode` cannot have made."""
    if len(text) != 26:
        raise ValueError("an id has 26 characters after its prefix")
    number = 0
    for char in text:
        digit = _VALUES.get(char)
        if digit is None:
            raise ValueError(f"{char!r} is not a character of an id")
        number = number << 5 | digit
    if number >> 128:
        raise ValueError("the id is too large")
    return UUID(int=number)


def format_id(prefix: str, value: UUID) -> str:
    """`format_id("msg", uuid)` is `msg_` and 26 characters."""
    return f"{prefix}_{encode(value)}"


def parse_id(prefix: str, text: str, *, field: str = "id") -> UUID:
    """The UUID of a prefixed id. Raises `InvalidInput` that names the field and the expected form."""
    head, _, tail = text.partition("_")
    if head == prefix:
        try:
            return decode(tail)
        except ValueError:
            pass
    raise InvalidInput(
        f"`{field}` must be `{prefix}_` followed by 26 characters of 0-9 and a-z without i, l, o, u.",
        field=field,
    )


@lru_cache(4096)
def app_uuid(app_id: str) -> UUID:
    """`parse_id("app", …)`, and the same object each time: keys with it in them are then compared in no time."""
    return parse_id("app", app_id)


def check_customer_id(text: str, *, field: str) -> str:
    """Return a customer's own id unchanged. Raises `InvalidInput` that names the field."""
    if not CUSTOMER_ID.fullmatch(text):
        raise InvalidInput(f"`{field}` must be 1 to 64 characters of A-Z a-z 0-9 _ . @ -", field=field)
    return text


class Ids:
    """Makes ids that sort by time, strictly increasing within this process even inside one millisecond."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._last = 0

    def uuid7(self) -> UUID:
        """A UUIDv7: 48 bits of milliseconds, a 12-bit counter, 62 random bits."""
        # `UUID(int=…)` looks at six arguments first.
        value = UUID.__new__(UUID)
        object.__setattr__(value, "int", self._next())
        object.__setattr__(value, "is_safe", SafeUUID.unknown)
        return value

    def new(self, prefix: str) -> str:
        """A fresh prefixed id."""
        return f"{prefix}_{_encoded(self._next())}"

    def _next(self) -> int:
        millis = int(self._clock.now().timestamp() * 1000)
        with self._lock:
            # 12 bits below the millisecond count ids made in it; overflow borrows from the next millisecond.
            stamp = self._last = max(millis << 12, self._last + 1)
            if not _randoms:
                _randoms.extend(struct.unpack("<64Q", os.urandom(512)))
            random = _randoms.pop()
        return (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random >> 2


_randoms: list[int] = []
"""What the system gave and no id has used: asking it for each is half of what an id costs."""
os.register_at_fork(after_in_child=_randoms.clear)
