"""Ids that the SDK makes: a prefix and 26 characters that sort by time, a UUIDv7 (RFC 9562) in Crockford's base 32.

Because the client makes a message's id, a send can be repeated after a lost answer: the same id is stored once.
"""

import secrets
import time
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def uuid7(milliseconds: int) -> int:
    """A UUIDv7 as a number: 48 bits of milliseconds since 1970, version and variant, 74 random bits."""
    random = secrets.randbits(74)
    return (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1


def new_id(prefix: str, now: Callable[[], float] = time.time) -> str:
    """`new_id("msg")` is `msg_` and 26 characters. `now` answers seconds since 1970."""
    number = uuid7(int(now() * 1000))
    return prefix + "_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def new_message_id() -> str:
    """A fresh id for a message that you send later, perhaps more than once: `msg_…`."""
    return new_id("msg")
