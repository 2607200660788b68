"""Read public keys as customers have them: PEM, JWK (RFC 7517) or a set of JWKs. Kept as PEM alone."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from kernel.errors import InvalidInput

MAX_KEYS: Final = 10
MAX_BYTES: Final = 65_536
_KID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_PRIVATE_MEMBERS: Final = ("d", "p", "q", "dp", "dq", "qi", "k")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A checked key; `kid` is the one it brought, if any."""

    algorithm: Literal["RS256", "ES256", "EdDSA"]
    pem: str
    kid: str | None


def parse_public_key(material: str, *, kid: str | None = None) -> list[PublicKey]:
    """The keys in the material. Raises `InvalidInput` that says what is wrong, without repeating the material."""
    if len(material) > MAX_BYTES:
        raise _bad("is too long")
    material = material.strip()
    if "PRIVATE KEY" in material:
        raise _bad(
            "is a private key. Keep it on your server, consider it exposed, and upload the public half of a new one"
        )
    if material.startswith("-----BEGIN"):
        try:
            return [_checked(load_pem_public_key(material.encode()), _check_kid(kid))]
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _bad("is not a PEM public key (`-----BEGIN PUBLIC KEY-----`)") from error
    try:
        document = json.loads(material)
    except (ValueError, RecursionError) as error:
        raise _bad("is neither PEM nor JSON") from error
    jwks = document.get("keys") if isinstance(document, dict) and "keys" in document else [document]
    if not isinstance(jwks, list) or not 1 <= len(jwks) <= MAX_KEYS or not all(isinstance(jwk, dict) for jwk in jwks):
        raise _bad(f"must be a JWK or a set of 1 to {MAX_KEYS} of them")
    named = [_from_jwk(jwk, kid if len(jwks) == 1 else None) for jwk in jwks]
    kids = [key.kid for key in named if key.kid is not None]
    if len(set(kids)) != len(kids):
        raise _bad("holds two keys with the same `kid`")
    return named


def _from_jwk(jwk: dict[str, Any], kid: str | None) -> PublicKey:
    if any(member in jwk for member in _PRIVATE_MEMBERS):
        raise _bad("holds a private or symmetric key. Consider it exposed, and upload the public half of a new one")
    if jwk.get("use", "sig") != "sig":
        raise _bad("is not for signatures (`use` must be `sig`)")
    key: Any
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "RSA", _:
                key = RSAPublicNumbers(_integer(jwk["e"]), _integer(jwk["n"])).public_key()
            case "EC", "P-256":
                key = EllipticCurvePublicNumbers(_integer(jwk["x"]), _integer(jwk["y"]), SECP256R1()).public_key()
            case "OKP", "Ed25519":
                key = Ed25519PublicKey.from_public_bytes(_bytes(jwk["x"]))
            case _:
                raise _bad("must be RSA, EC on P-256, or OKP on Ed25519")
    except (KeyError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _bad("is not a complete JWK") from error
    checked = _checked(key, _check_kid(jwk.get("kid", kid)))
    if jwk.get("alg", checked.algorithm) != checked.algorithm:
        raise _bad(f"names an algorithm (`alg`) other than {checked.algorithm}, which is the one for its kind")
    return checked


def _checked(key: object, kid: str | None) -> PublicKey:
    algorithm: Literal["RS256", "ES256", "EdDSA"]
    match key:
        case RSAPublicKey() if 2048 <= key.key_size <= 8192 and key.public_numbers().e >= 65537:
            algorithm = "RS256"
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            algorithm = "ES256"
        case Ed25519PublicKey():
            algorithm = "EdDSA"
        case _:
            raise _bad("must be RSA of 2048 to 8192 bits with exponent 65537 or more, EC on P-256, or Ed25519")
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return PublicKey(algorithm, pem, kid)


def _check_kid(kid: object) -> str | None:
    if kid is None:
        return None
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise InvalidInput("`kid` must be 1 to 128 visible ASCII characters.", field="kid")
    return kid


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def _integer(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _bad(what: str) -> InvalidInput:
    return InvalidInput(f"The public key {what}.", field="public_key")
