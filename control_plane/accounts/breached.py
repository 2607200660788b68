"""Passwords that everybody tries first. NIST SP 800-63B (3.1.1.2) wants them refused.

The list is here and not asked for over the network: a password says too much about its owner, even as the first
characters of a hash, and an installation may have no way out. `breached.bin` holds the first four bytes of SHA-256 of
each password of at least eight characters (shorter ones are refused anyway) in the common passwords of Django 5.2
(BSD-3-Clause) and of `@zxcvbn-ts/language-common` 3.0.4 (MIT), sorted: 21,648 of 55,861, in 87 kB. Of passwords that
are not on it, one in two hundred thousand is refused by chance. `pack` makes the file from a list.
"""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

_SIZE: Final = 4


def is_common(password: str) -> bool:
    """Whether the password is on the list, letter case aside."""
    return _find(_entries(), _prefix(password))


def pack(passwords: Iterable[str]) -> bytes:
    """The file's content for these passwords."""
    return b"".join(sorted({_prefix(password) for password in passwords}))


def _find(entries: tuple[bytes, ...], wanted: bytes) -> bool:
    place = bisect_left(entries, wanted)
    return place < len(entries) and entries[place] == wanted


def _prefix(password: str) -> bytes:
    text = unicodedata.normalize("NFKC", password).casefold()
    return sha256(text.encode("utf-8", "surrogatepass")).digest()[:_SIZE]


@cache
def _entries() -> tuple[bytes, ...]:
    content = Path(__file__).with_name("breached.bin").read_bytes()
    return tuple(content[place : place + _SIZE] for place in range(0, len(content), _SIZE))
