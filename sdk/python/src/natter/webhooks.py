"""Webhooks after Standard Webhooks 1.0 (https://www.standardwebhooks.com): who sent it, when, and that nothing changed.

A delivery carries `webhook-id`, `webhook-timestamp` and `webhook-signature`. Signed is `{id}.{timestamp}.{body}`, with
HMAC-SHA256 (`v1`, a secret `whsec_…`) or ed25519 (`v1a`, a public key `whpk_…`).
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ._errors import NatterError

__all__ = ["WebhookEvent", "WebhookVerificationError", "WebhookVerifier"]

TOLERANCE: Final = 5 * 60
"""Seconds that a delivery may be old, or ahead of this machine's clock."""
_Check = Callable[[bytes, bytes], bool]


class Headers(Protocol):
    """A request's headers, as every framework has them: a mapping, or what is like one."""

    def items(self) -> Iterable[tuple[str, str]]:
        """`(name, value)` of each."""


class WebhookVerificationError(NatterError):
    """The delivery is not to be trusted: answer 400 and do nothing."""


@dataclass(frozen=True)
class WebhookEvent:
    """A delivery that was verified."""

    id: str
    """The same at each attempt to deliver it: remember it to do things once."""
    timestamp: int
    """Seconds since 1970 at which this attempt was made."""
    data: Any
    """The body, decoded from JSON."""

    @property
    def type(self) -> str | None:
        """What happened, as `message.created`; `None` when the body does not say."""
        said = self.data.get("type") if isinstance(self.data, dict) else None
        return said if isinstance(said, str) else None


class WebhookVerifier:
    """Verifies deliveries.

        verifier = WebhookVerifier(os.environ["NATTER_WEBHOOK_SECRET"])
        event = verifier.verify(request.body, request.headers)

    Give several secrets while one takes the place of another: a delivery that is signed with any of them is good.
    `tolerance` is in seconds; `now` answers seconds since 1970.
    """

    def __init__(
        self, secrets: str | Iterable[str], *, tolerance: float = TOLERANCE, now: Callable[[], float] = time.time
    ) -> None:
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given:
            raise ValueError("no secret is given")
        self._checks = [_check_of(secret) for secret in given]
        self._tolerance, self._now = tolerance, now

    def verify(self, body: bytes | str, headers: Headers) -> WebhookEvent:
        """The event of a delivery. Give the body's very bytes, not JSON that was read and written again.

        Raises `WebhookVerificationError` for a delivery that lacks something, is too old, ahead of time, or not signed
        with a secret that is known here. Without a right signature nothing of the body is looked at.
        """
        raw = body.encode() if isinstance(body, str) else bytes(body)
        known = {name.lower(): value for name, value in headers.items() if name.lower().startswith("webhook-")}
        missing = [f"webhook-{name}" for name in ("id", "timestamp", "signature") if not known.get(f"webhook-{name}")]
        if missing:
            raise WebhookVerificationError(f"missing: {', '.join(missing)}")
        message_id, said = known["webhook-id"], known["webhook-timestamp"]
        timestamp = self._timestamp(said)
        signed = f"{message_id}.{said}.".encode(errors="surrogateescape") + raw
        # Every signature is tried with every secret, so that time tells nothing of which of them was near.
        found = [
            check(signed, signature)
            for version, signature in _signatures(known["webhook-signature"])
            for expected, check in self._checks
            if version == expected
        ]
        if not any(found):
            raise WebhookVerificationError("no signature is right: is the secret that of this endpoint?")
        try:
            data = json.loads(raw)
        except ValueError as error:
            raise WebhookVerificationError("the body is no JSON") from error
        return WebhookEvent(message_id, timestamp, data)

    def _timestamp(self, said: str) -> int:
        if not (said.isascii() and said.isdigit() and len(said) < 16):
            raise WebhookVerificationError("webhook-timestamp is no number of seconds")
        timestamp, now = int(said), self._now()
        if timestamp < now - self._tolerance:
            raise WebhookVerificationError("the delivery is too old")
        if timestamp > now + self._tolerance:
            raise WebhookVerificationError("the delivery is from the future; check this machine's clock")
        return timestamp


def _signatures(header: str) -> Iterable[tuple[str, bytes]]:
    """`(version, signature)` of each that can be read."""
    for part in header.split(" "):
        version, comma, signature = part.partition(",")
        if comma:
            try:
                yield version, base64.b64decode(signature, validate=True)
            except ValueError:
                continue


def _check_of(secret: str) -> tuple[str, _Check]:
    """The version of the signatures that a secret makes, and what checks one. Raises `ValueError` for no secret."""
    if secret.startswith("whsk_"):
        raise ValueError("a private key (whsk_…) is the sender's; verify with its public key (whpk_…)")
    if secret.startswith("whpk_"):
        return "v1a", _ed25519(_key(secret.removeprefix("whpk_")))
    key = _key(secret.removeprefix("whsec_"))
    return "v1", lambda signed, signature: hmac.compare_digest(hmac.digest(key, signed, hashlib.sha256), signature)


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("a webhook secret is whsec_ or whpk_, and base64") from error
    if not key:
        raise ValueError("the webhook secret is empty")
    return key


def _ed25519(key: bytes) -> _Check:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise ImportError("whpk_ keys need cryptography: pip install 'natter-sdk[asymmetric]'") from error
    public = Ed25519PublicKey.from_public_bytes(key)

    def check(signed: bytes, signature: bytes) -> bool:
        try:
            public.verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    return check
