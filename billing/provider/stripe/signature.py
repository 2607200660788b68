"""Stripe's signature on a webhook: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…]`, HMAC-SHA-256 over
`<t>.<body>`. Stripe's library does the same by the machine's clock; this one is given the time."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

WINDOW: Final = 300
"""Seconds that a signature may be old, or ahead of our clock."""


def genuine(body: bytes, header: str, secrets: Sequence[str], *, now: datetime) -> bool:
    """Whether one of the secrets signed the body lately. Takes as long for a wrong signature as for a right one."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or len(times[0]) > 12 or not given:
        return False
    signed = times[0].encode() + b"." + body
    good = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        for one in given[:16]:
            good |= hmac.compare_digest(expected.encode(), one.encode())
    return good and abs(now.timestamp() - int(times[0])) <= WINDOW


def live_secrets(text: str) -> list[str]:
    """The setting's secrets: one, or two while one is being replaced."""
    return [secret.strip() for secret in text.split(",") if secret.strip()]
