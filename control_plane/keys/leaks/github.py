"""GitHub's secret scanning: who signed a report, by the keys that GitHub publishes.

https://docs.github.com/code-security/secret-scanning/secret-scanning-partner-program
"""

import asyncio
import base64
import binascii
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from control_plane.keys.jwks_url import JwksFetcher
from kernel.clock import Clock
from kernel.errors import NatterError, Unauthenticated, Unavailable
from kernel.logging import get_logger

KEEP_SECONDS: Final = 24 * 3600.0
"""How long a list is believed: a key that GitHub withdraws signs nothing here after that."""
FLOOR_SECONDS: Final = 60.0
"""At most one reading of the list in that time, whatever strangers name."""

_log = get_logger(__name__)


class _Key(msgspec.Struct):
    key_identifier: str
    key: str


class _List(msgspec.Struct):
    public_keys: list[_Key]


class GithubKeys:
    """The published keys, read when one is needed that is not known, or when the list is a day old."""

    def __init__(self, url: str, fetcher: JwksFetcher, clock: Clock) -> None:
        self._url = url
        self._fetcher = fetcher
        self._clock = clock
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._reading = asyncio.Lock()

    async def check(self, identifier: str, signature: str, body: bytes) -> None:
        """Raises `Unauthenticated` unless GitHub signed the body, `Unavailable` while that cannot be known."""
        key = await self._key(identifier)
        try:
            given = base64.b64decode(signature, validate=True)
            if key is not None:
                key.verify(given, body, ECDSA(SHA256()))
                return
        except (binascii.Error, ValueError, InvalidSignature):
            pass
        raise Unauthenticated("The report is not signed by one of the keys that GitHub publishes.")

    async def _key(self, identifier: str) -> EllipticCurvePublicKey | None:
        if self._needs_reading(identifier):
            async with self._reading:
                if self._needs_reading(identifier):
                    await self._read()
        if self._read_at is None or self._clock.monotonic() - self._read_at > KEEP_SECONDS:
            raise Unavailable("The keys that GitHub publishes cannot be read right now.", retry_after=FLOOR_SECONDS)
        return self._keys.get(identifier)

    def _needs_reading(self, identifier: str) -> bool:
        now = self._clock.monotonic()
        if self._tried_at is not None and now - self._tried_at < FLOOR_SECONDS:
            return False
        return self._read_at is None or now - self._read_at > KEEP_SECONDS or identifier not in self._keys

    async def _read(self) -> None:
        self._tried_at = self._clock.monotonic()
        try:
            document = msgspec.json.decode(await self._fetcher.fetch(self._url), type=_List)
        except (NatterError, msgspec.DecodeError) as error:
            # Those that are known stay good until they are a day old.
            _log.warning("leaks.github_keys_unread", error=str(error))
            return
        self._keys = {one.key_identifier: key for one in document.public_keys if (key := _p256(one.key)) is not None}
        self._read_at = self._tried_at


def _p256(pem: str) -> EllipticCurvePublicKey | None:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None
