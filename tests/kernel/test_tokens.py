"""RFC 8725: what a token must not talk its way past."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kernel.contracts import SigningKey
from kernel.security.tokens import UNVERIFIED, TokenExpired, TokenInvalid, mint_access_token, verify_access_token

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HS = SigningKey(kid="k1", algorithm="HS256", key="a shared secret of thirty-two bytes", mint=True)


def claims(**changes: Any) -> dict[str, Any]:
    base = {"sub": "alice", "aud": "app_1", "iat": NOW.timestamp(), "exp": (NOW + timedelta(minutes=5)).timestamp()}
    return {key: value for key, value in (base | changes).items() if value is not None}


def check(token: str, *keys: SigningKey) -> str:
    return verify_access_token(token, {k.kid: k for k in keys or (HS,)}, app_id="app_1", now=NOW).user_id


def test_a_minted_token_is_accepted() -> None:
    token = mint_access_token(
        HS, app_id="app_1", user_id="alice", now=NOW, lifetime=timedelta(minutes=15), token_id="t1"
    )
    assert check(token) == "alice"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "app_2"},
        {"aud": None},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"exp": "soon"},
        {"exp": (NOW + timedelta(days=3)).timestamp()},
        {"iat": (NOW + timedelta(minutes=3)).timestamp()},
        {"nbf": (NOW + timedelta(minutes=3)).timestamp()},
        {"exp": 1e300},
    ],
)
def test_claims_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        check(jwt.encode(claims(**changes), HS.key, "HS256", headers={"kid": "k1"}))


def test_an_expired_token_is_named_so_that_a_client_refreshes() -> None:
    past = claims(iat=(NOW - timedelta(hours=1)).timestamp(), exp=(NOW - timedelta(minutes=1)).timestamp())
    with pytest.raises(TokenExpired):
        check(jwt.encode(past, HS.key, "HS256", headers={"kid": "k1"}))


def test_the_algorithm_is_the_keys_and_never_the_tokens_choice() -> None:
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    rs = SigningKey(kid="r1", algorithm="RS256", key=public)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert check(jwt.encode(claims(), pem, "RS256", headers={"kid": "r1"}), rs) == "alice"
    # The public key as an HMAC secret, and no signature at all.
    import base64
    import hashlib
    import hmac
    import json

    def b64(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    for alg, sign in (("HS256", True), ("none", False), ("None", False)):
        head = b64(json.dumps({"alg": alg, "kid": "r1", "typ": "JWT"}).encode())
        body = b64(json.dumps(claims()).encode())
        mac = hmac.new(public.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest() if sign else b""
        with pytest.raises(TokenInvalid):
            check(f"{head}.{body}.{b64(mac)}", rs)


@pytest.mark.parametrize("headers", [{"kid": "k2"}, {"kid": "k1", "typ": "refresh+jwt"}, {"kid": "k1", "crit": ["x"]}])
def test_headers_that_point_elsewhere_are_refused(headers: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        check(jwt.encode(claims(), HS.key, "HS256", headers=headers))


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        ("another secret of thirty-two bytes", {"kid": "k1"}),
        ("another secret of thirty-two bytes", {"kid": "k1", "typ": "refresh+jwt"}),
        ("another secret of thirty-two bytes", {"kid": "k1", "b64": False}),
        ("another secret of thirty-two bytes", {"kid": "k2"}),
        ("another secret of thirty-two bytes", {}),
        (HS.key, {"kid": "k2"}),
    ],
)
@pytest.mark.parametrize("changes", [{}, {"exp": None}, {"exp": 1.0}, {"sub": 7}, {"iat": "soon"}])
def test_without_the_apps_key_every_refusal_says_the_same(
    key: str, headers: dict[str, Any], changes: dict[str, Any]
) -> None:
    with pytest.raises(TokenInvalid) as caught:
        check(jwt.encode(claims() | changes, key, "HS256", headers=headers))
    assert caught.value.message == UNVERIFIED


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 9000, "." * 10, "{" * 100])
def test_garbage_is_no_token(token: str) -> None:
    with pytest.raises(TokenInvalid):
        check(token)
