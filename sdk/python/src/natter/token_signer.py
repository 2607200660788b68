"""Signing user tokens on your own server, without a call, by a signing key from the app's page in the portal."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, Literal

Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]
MAX_LIFETIME: Final = 24 * 60 * 60
"""Seconds that a token may live at most; the server refuses longer ones."""


class TokenSigner:
    """Signs access tokens for an app's users.

        signer = TokenSigner(app_id="app_…", kid="key_…", key=os.environ["NATTER_SIGNING_SECRET"])
        token = signer.sign("ada")

    `key` is the signing secret for HS256, and a private key in PEM for RS256, ES256 and EdDSA, which need
    `natter-sdk[asymmetric]`. Such a token cannot be refreshed: sign the next one. To end a user's tokens, call
    `client.tokens.revoke`.
    """

    def __init__(
        self,
        *,
        app_id: str,
        kid: str,
        key: str | bytes,
        algorithm: Algorithm = "HS256",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app_id, self._kid, self._algorithm, self._now = app_id, kid, algorithm, now
        secret = key.encode() if isinstance(key, str) else key
        if not secret:
            raise ValueError("the signing key is empty")
        self._sign = _hmac(secret) if algorithm == "HS256" else _asymmetric(algorithm, secret)

    def sign(self, user_id: str, *, expires_in: float = 900) -> str:
        """A token with which `user_id` connects and calls. `expires_in`: seconds, 24 hours at most.

        Raises `ValueError` for a user id that is empty, or a life that the server would refuse.
        """
        if not user_id:
            raise ValueError("user_id is empty")
        if not 0 < expires_in <= MAX_LIFETIME:
            raise ValueError(f"expires_in is more than 0 and at most {MAX_LIFETIME} seconds")
        issued = self._now()
        header = {"alg": self._algorithm, "kid": self._kid, "typ": "at+jwt"}
        claims = {
            "sub": user_id,
            "aud": self._app_id,
            # Milliseconds, so that a token made right after a revocation is told from one made right before.
            "iat": round(issued, 3),
            "exp": int(issued + expires_in),
            "jti": secrets.token_urlsafe(12),
        }
        signed = f"{_part(header)}.{_part(claims)}"
        return f"{signed}.{_base64(self._sign(signed.encode()))}"


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.digest(secret, signed, hashlib.sha256)


def _asymmetric(algorithm: str, pem: bytes) -> Callable[[bytes], bytes]:
    """RFC 7518 and RFC 8037. Raises `ValueError` for a key of another kind."""
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
    except ImportError as error:
        raise ImportError(f"{algorithm} needs cryptography: pip install 'natter-sdk[asymmetric]'") from error
    key = serialization.load_pem_private_key(pem, password=None)
    if algorithm == "RS256" and isinstance(key, rsa.RSAPrivateKey):
        return lambda signed: key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    if algorithm == "ES256" and isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):

        def sign(signed: bytes) -> bytes:
            r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        return sign
    raise ValueError(f"the key is none for {algorithm}")
