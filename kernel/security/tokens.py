"""User access tokens: JWTs as RFC 8725 wants them checked. The only home of the `jwt` library."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import msgspec

from kernel.contracts import SigningKey
from kernel.errors import Unauthenticated

MAX_TOKEN_BYTES: Final = 8192
LEEWAY: Final = timedelta(seconds=30)
MAX_LIFETIME: Final = timedelta(hours=24)
"""Longest life of a token that a customer mints itself: a leaked token must end."""

UNVERIFIED: Final = (
    "The token is not signed with a key of an app that is served here. Check its `aud` (the app's id), its `kid` "
    "(one of the app's signing keys), its algorithm (that key's) and its signature."
)
"""The one answer until a signature proves that the caller holds the app's key: to anybody else an app that is here must
look like one that is not."""

_ALGORITHMS: Final = frozenset({"HS256", "RS256", "ES256", "EdDSA"})
# What the library raises once the signature is right.
_BAD_CLAIMS: Final = (
    jwt.exceptions.MissingRequiredClaimError,
    jwt.exceptions.InvalidAudienceError,
    jwt.exceptions.InvalidSubjectError,
    jwt.exceptions.InvalidJTIError,
)


class TokenExpired(Unauthenticated):
    """The token's time is over; get a new one from the refresh token or from your server."""

    code = "token_expired"
    title = "The token has expired"


class TokenInvalid(Unauthenticated):
    """The token is malformed, of another app, signed by an unknown key or revoked."""

    code = "token_invalid"
    title = "The token is not valid"


class TokenRevoked(Unauthenticated):
    """The user's tokens were revoked; get a new one from your server."""

    code = "token_revoked"
    title = "The token has been revoked"


class AccessToken(msgspec.Struct, frozen=True):
    """A verified token."""

    user_id: str
    issued_at: datetime
    expires_at: datetime


def mint_access_token(
    key: SigningKey, *, app_id: str, user_id: str, now: datetime, lifetime: timedelta, token_id: str
) -> str:
    """Sign an access token for one user of one app (HS256)."""
    claims = {
        "sub": user_id,
        "aud": app_id,
        # Milliseconds, so that a token minted right after a revocation is told from one minted right before.
        "iat": round(now.timestamp(), 3),
        "exp": int((now + lifetime).timestamp()),
        "jti": token_id,
    }
    return jwt.encode(claims, key.key, algorithm="HS256", headers={"kid": key.kid, "typ": "at+jwt"})


def unverified_audience(token: str) -> str | None:
    """The app that a token claims to be for, to find the keys it must be verified with. Trust nothing else of it."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    audience = claims.get("aud")
    return audience if isinstance(audience, str) else None


def verify_access_token(token: str, keys: Mapping[str, SigningKey], *, app_id: str, now: datetime) -> AccessToken:
    """Check a token against an app's own keys.

    The algorithm is the key's, never the header's choice; `kid` must name one of the keys (or there is just one);
    `sub`, `aud`, `iat` and `exp` must be there. Raises `TokenExpired` or `TokenInvalid`, without saying which check
    failed beyond what helps an honest developer.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenInvalid("The token is too long.")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenInvalid("The token is not a JWT.") from error
    key = _choose_key(header, keys)
    if key is None or header.get("alg") != key.algorithm or key.algorithm not in _ALGORITHMS:
        raise TokenInvalid(UNVERIFIED)
    try:
        # Times are checked below against the injected clock.
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=app_id,
            options={
                "require": ["sub", "aud", "exp", "iat"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except _BAD_CLAIMS as error:
        raise TokenInvalid(f"The token was refused: {error}") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenInvalid(UNVERIFIED) from error
    if str(header.get("typ", "JWT")).lower() not in ("jwt", "at+jwt"):
        raise TokenInvalid("The token's `typ` must be `JWT` or `at+jwt`.")
    if "crit" in header:
        raise TokenInvalid("The token has critical headers that are not known here.")
    try:
        issued, expires = _instant(claims["iat"]), _instant(claims["exp"])
        not_before = _instant(claims["nbf"]) if "nbf" in claims else issued
    except (ValueError, OverflowError) as error:
        raise TokenInvalid(f"The token was refused: {error}") from error
    if expires + LEEWAY <= now:
        raise TokenExpired()
    if issued - LEEWAY > now or not_before - LEEWAY > now:
        raise TokenInvalid("The token is from the future; check the clock of the server that made it.")
    if expires - issued > MAX_LIFETIME:
        raise TokenInvalid("The token lives longer than 24 hours; sign it with a shorter `exp`.")
    return AccessToken(user_id=str(claims["sub"]), issued_at=issued, expires_at=expires)


def names_unknown_key(token: str, keys: Mapping[str, SigningKey]) -> bool:
    """Whether the token's header names a key, and none of these. Anybody can make such a token."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return False
    return isinstance(kid, str) and kid not in keys


def _choose_key(header: Mapping[str, Any], keys: Mapping[str, SigningKey]) -> SigningKey | None:
    kid = header.get("kid")
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid) if isinstance(kid, str) else None


def _instant(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("times must be numbers of seconds")  # noqa: TRY004 - one error type for all bad claims
    return datetime.fromtimestamp(value, UTC)
