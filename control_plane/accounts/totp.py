"""Codes of authenticator apps: TOTP (RFC 6238) over HOTP (RFC 4226), with what every app knows: SHA-1, 6 digits, 30 s.

SHA-1 is no weakness here: an HMAC needs no resistance against collisions, and apps ignore other choices silently.
"""

import base64
import hmac
import secrets
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha1
from typing import Final
from urllib.parse import quote

DIGITS: Final = 6
PERIOD: Final = 30
DRIFT: Final = 1
"""Steps that a clock may be off, either way."""
ISSUER: Final = "Natter"


def new_secret() -> bytes:
    """160 random bits, the length that RFC 4226 recommends."""
    return secrets.token_bytes(20)


def spell(secret: bytes) -> str:
    """The secret in base32, as it is typed into an app."""
    return base64.b32encode(secret).decode().rstrip("=")


def uri(secret: bytes, account: str) -> str:
    """What the QR code says (the key URI format of Google Authenticator). `account` is the address."""
    label = f"{quote(ISSUER)}:{quote(account, safe='@')}"
    return f"otpauth://totp/{label}?secret={spell(secret)}&issuer={quote(ISSUER)}"


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a time step: seconds since 1970, divided by 30."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), sha1)
    start = mac[-1] & 15
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}}"


def step_of(now: datetime) -> int:
    """The time step that it is."""
    return int(now.timestamp()) // PERIOD


def matching_step(secret: bytes, code: str, now: datetime) -> int | None:
    """The step near now whose code that is. Every step is compared, in the same time whichever fits."""
    found = None
    for step in _near(now):
        if hmac.compare_digest(code_at(secret, step), code):
            found = step
    return found


def _near(now: datetime) -> Iterator[int]:
    middle = step_of(now)
    return iter(range(middle - DRIFT, middle + DRIFT + 1))
