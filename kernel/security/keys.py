"""API keys: a prefix that names the kind, 160 random bits and a checksum, so that a scanner can tell a leaked key
from noise without asking us (the form that GitHub's secret scanning wants). Stored as an HMAC, shown once.
"""

import hmac
import secrets
import zlib
from hashlib import sha256
from typing import Final, Literal

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
KeyKind = Literal["pk", "sk", "nk", "rt"]
"""Publishable, secret, node credential, refresh token."""


PATTERN: Final = rf"(?:sk|pk|nk|rt)_[{_ALPHABET}]{{39}}"
"""What a scanner looks for, before it checks the checksum. 42 characters, none of which is a word's end."""


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> 5 * i) & 31] for i in reversed(range(length)))


def _checksum(body: str) -> str:
    return _base32(zlib.crc32(body.encode()), 7)


def seal(kind: KeyKind, entropy: bytes) -> str:
    """The key that 20 bytes of entropy make: `sk_` + 32 characters + 7 of checksum."""
    body = f"{kind}_{_base32(int.from_bytes(entropy[:20], 'big'), 32)}"
    return body + _checksum(body)


def generate(kind: KeyKind) -> str:
    """A fresh random key."""
    return seal(kind, secrets.token_bytes(20))


def well_formed(kind: KeyKind, text: str) -> bool:
    """Whether prefix, length and checksum fit; says nothing about whether the key exists."""
    return len(text) == 42 and text.startswith(f"{kind}_") and _checksum(text[:35]) == text[35:]


def digest(pepper: bytes, key: str) -> str:
    """Hex HMAC-SHA256: what is stored and compared instead of the key."""
    return hmac.new(pepper, key.encode(), sha256).hexdigest()
