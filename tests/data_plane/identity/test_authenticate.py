"""Every way to be nobody."""

import base64
import json
from datetime import timedelta

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from data_plane.identity import authenticate
from data_plane.identity.errors import KeyExpired, OriginNotAllowed
from data_plane.tenancy.errors import AppDeleted, AppSuspended
from kernel.contracts import SecretKey, SigningKey
from kernel.errors import Unauthenticated
from kernel.security import keys
from kernel.security.tokens import TokenExpired, TokenInvalid, TokenRevoked

SECRET = "another-secret-another-secret-another"


def claims(node, **changes):
    now = node.clock.now().timestamp()
    return {"sub": "ada", "aud": node.tenant.snapshot.app_id, "iat": now, "exp": now + 600, **changes}


def sign(node, key=None, algorithm="HS256", headers=None, **changes):
    key = key if key is not None else node.tenant.snapshot.signing_keys[0].key
    return jwt.encode(claims(node, **changes), key, algorithm=algorithm, headers={"kid": "k1", **(headers or {})})


def by_hand(header, payload, signature=b""):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    return ".".join([part(json.dumps(header).encode()), part(json.dumps(payload).encode()), part(signature)])


async def test_a_good_token_names_its_user(node):
    caller = node.authenticator.bearer(sign(node))
    assert (caller.user_id, caller.app_id, caller.is_server) == ("ada", node.tenant.app_id, False)
    assert caller.token_expires_at == node.clock.now().replace(microsecond=123_000) + timedelta(minutes=10)


async def test_a_secret_key_is_the_server(node):
    caller = node.authenticator.bearer(node.tenant.secret_key)
    assert caller.is_server
    assert caller.key_id == "key_1"


async def test_the_publishable_key_may_name_the_app(node):
    token = sign(node)
    assert node.authenticator.token(token, key=node.tenant.publishable_key).user_id == "ada"
    stranger = node.add_tenant()
    with pytest.raises(TokenInvalid):
        node.authenticator.token(token, key=stranger.publishable_key)
    with pytest.raises(Unauthenticated):
        node.authenticator.token(token, key=keys.generate("pk"))


@pytest.mark.parametrize("bad", ["none", "None", "nOnE", "HS512", "RS256", "hs256", None])
async def test_an_algorithm_that_is_not_the_keys_is_refused(node, bad):
    token = by_hand({"alg": bad, "typ": "JWT", "kid": "k1"}, claims(node))
    with pytest.raises(TokenInvalid):
        node.authenticator.bearer(token)


async def test_a_public_key_is_not_taken_for_a_shared_secret(node):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    node.change(node.tenant, signing_keys=(SigningKey(kid="k1", algorithm="RS256", key=pem.decode()),))
    assert node.authenticator.bearer(sign(node, key=private, algorithm="RS256")).user_id == "ada"
    import hmac
    from hashlib import sha256

    forged = by_hand({"alg": "HS256", "typ": "JWT", "kid": "k1"}, claims(node))
    signed = forged.rpartition(".")[0]
    mac = hmac.new(pem, signed.encode(), sha256).digest()
    forged = signed + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    with pytest.raises(TokenInvalid):
        node.authenticator.bearer(forged)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"aud": "app_00000000000000000000000000"}, TokenInvalid),
        ({"aud": None}, TokenInvalid),
        ({"aud": 7}, TokenInvalid),
        ({"exp": 0}, TokenExpired),
        ({"exp": "soon"}, TokenInvalid),
        ({"exp": True}, TokenInvalid),
        ({"exp": 1e300}, TokenInvalid),
        ({"exp": 4_000_000_000}, TokenInvalid),
        ({"iat": 4_000_000_000, "exp": 4_000_000_100}, TokenInvalid),
        ({"nbf": 4_000_000_000}, TokenInvalid),
        ({"sub": ""}, TokenInvalid),
        ({"sub": "a b"}, TokenInvalid),
        ({"sub": "x" * 65}, TokenInvalid),
        ({"sub": 7}, TokenInvalid),
    ],
)
async def test_bad_claims_are_refused(node, change, error):
    with pytest.raises(error):
        node.authenticator.bearer(by_hand_signed(node, claims(node, **change)))


@pytest.mark.parametrize("missing", ["sub", "aud", "exp", "iat"])
async def test_a_claim_that_is_missing_is_refused(node, missing):
    payload = claims(node)
    del payload[missing]
    with pytest.raises(TokenInvalid):
        node.authenticator.bearer(by_hand_signed(node, payload))


def by_hand_signed(node, payload, headers=None):
    import hmac
    from hashlib import sha256

    signed = by_hand({"alg": "HS256", "typ": "JWT", "kid": "k1", **(headers or {})}, payload).rpartition(".")[0]
    mac = hmac.new(node.tenant.snapshot.signing_keys[0].key.encode(), signed.encode(), sha256).digest()
    return signed + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


async def test_the_hand_made_token_is_good_when_nothing_is_wrong(node):
    assert node.authenticator.bearer(by_hand_signed(node, claims(node))).user_id == "ada"


@pytest.mark.parametrize("headers", [{"kid": "k9"}, {"kid": 7}, {"typ": "dpop+jwt"}, {"crit": ["x"]}])
async def test_bad_headers_are_refused(node, headers):
    with pytest.raises(TokenInvalid):
        node.authenticator.bearer(by_hand_signed(node, claims(node), headers))


async def test_without_a_kid_there_must_be_only_one_key(node):
    key = node.tenant.snapshot.signing_keys[0]
    token = jwt.encode(claims(node), key.key, algorithm="HS256")
    assert node.authenticator.bearer(token).user_id == "ada"
    node.change(node.tenant, signing_keys=(key, SigningKey(kid="k2", algorithm="HS256", key=SECRET)))
    with pytest.raises(TokenInvalid):
        node.authenticator.bearer(token)


async def test_another_secret_or_another_apps_secret_is_refused(node):
    stranger = node.add_tenant(signing_keys=(SigningKey(kid="k1", algorithm="HS256", key=SECRET),))
    with pytest.raises(TokenInvalid):
        node.authenticator.bearer(sign(node, key=SECRET))
    with pytest.raises(TokenInvalid):
        node.authenticator.bearer(sign(node, aud=stranger.snapshot.app_id))


@pytest.mark.parametrize(
    "junk",
    ["x", "a.b.c", "....", "é" * 40, "x" * 9000, "eyJ" + "A" * 8000, "[" * 5000, "pk_x", "rt_x", "nk_x", "sk_", "sk_é"],
)
async def test_junk_is_refused_calmly(node, junk):
    with pytest.raises(Unauthenticated):
        node.authenticator.bearer(junk)


async def test_deeply_nested_claims_are_refused(node):
    deep = base64.urlsafe_b64encode(b'{"aud":' + b"[" * 5500).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated):
        node.authenticator.bearer(f"eyJhbGciOiJIUzI1NiJ9.{deep}.x")


async def test_an_oversized_token_is_refused_before_it_is_read(node):
    with pytest.raises(TokenInvalid, match="too long"):
        node.authenticator.bearer(sign(node, more="x" * 8192))


async def test_a_revoked_token_is_refused(node):
    token = sign(node)
    node.revocations.note(node.tenant.app_id, "ada", node.clock.now() + timedelta(milliseconds=1))
    with pytest.raises(TokenRevoked):
        node.authenticator.bearer(token)
    node.revocations.note(node.tenant.app_id, "bob", node.clock.now())


async def test_a_token_that_is_known_already_is_judged_anew_each_time(node):
    token = sign(node)
    assert node.authenticator.bearer(token) is node.authenticator.bearer(token)
    node.change(node.tenant, allowed_origins=("https://good.example",))
    assert node.authenticator.bearer(token, origin="https://good.example").app is node.tenant.snapshot
    with pytest.raises(OriginNotAllowed):
        node.authenticator.bearer(token, origin="https://bad.example")
    key = node.tenant.snapshot.signing_keys[0]
    node.change(node.tenant, signing_keys=(SigningKey(kid="k1", algorithm="HS256", key=SECRET),))
    with pytest.raises(TokenInvalid):
        node.authenticator.bearer(token)
    node.change(node.tenant, signing_keys=(key,))
    assert node.authenticator.bearer(token).user_id == "ada"
    node.change(node.tenant, status="suspended")
    with pytest.raises(AppSuspended):
        node.authenticator.bearer(token)


async def test_a_known_token_ends_on_time(node):
    token = sign(node)
    assert node.authenticator.bearer(token).user_id == "ada"
    node.clock.advance(timedelta(seconds=629))
    assert node.authenticator.bearer(token).user_id == "ada"
    node.clock.advance(timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        node.authenticator.bearer(token)


async def test_a_known_token_ends_with_its_users_revocation(node):
    token = sign(node)
    assert node.authenticator.bearer(token).user_id == "ada"
    node.revocations.note(node.tenant.app_id, "ada", node.clock.now() + timedelta(milliseconds=1))
    with pytest.raises(TokenRevoked):
        node.authenticator.bearer(token)


async def test_a_known_token_opens_no_other_app(node):
    token, mine = sign(node), node.tenant.publishable_key
    caller = node.authenticator.bearer(token)
    assert node.authenticator.token(token) is node.authenticator.token(token, key=mine) is caller
    stranger = node.add_tenant()
    with pytest.raises(TokenInvalid):
        node.authenticator.token(token, key=stranger.publishable_key)
    with pytest.raises(Unauthenticated):
        node.authenticator.token(token, key="pk_unknown")


async def test_no_more_tokens_are_remembered_than_allowed(node, monkeypatch):
    monkeypatch.setattr(authenticate, "REMEMBERED", 20)
    first = sign(node, sub="first")
    caller = node.authenticator.bearer(first)
    for number in range(19):
        node.authenticator.bearer(sign(node, sub=f"u{number}"))
    assert node.authenticator.bearer(first) is caller
    node.authenticator.bearer(sign(node, sub="one-too-many"))
    assert node.authenticator.bearer(first) is not caller


async def test_secret_keys_are_checked_whole(node):
    good = node.tenant.secret_key
    other = "b" if good[5] == "a" else "a"
    for bad in (good[:-1], good + "a", good[:5] + other + good[6:], keys.generate("sk"), good.upper()):
        with pytest.raises(Unauthenticated):
            node.authenticator.bearer(bad)


async def test_an_expired_secret_key_is_refused(node):
    key = node.tenant.snapshot.secret_keys[0]
    expires = node.clock.now() + timedelta(seconds=5)
    node.change(node.tenant, secret_keys=(SecretKey(id=key.id, digest=key.digest, expires_at=expires),))
    assert node.authenticator.bearer(node.tenant.secret_key).is_server
    node.clock.advance(timedelta(seconds=5))
    with pytest.raises(KeyExpired):
        node.authenticator.bearer(node.tenant.secret_key)


async def test_a_key_that_the_snapshot_no_longer_has_is_refused_at_once(node):
    node.change(node.tenant, secret_keys=())
    with pytest.raises(Unauthenticated):
        node.authenticator.bearer(node.tenant.secret_key)


@pytest.mark.parametrize(("status", "error"), [("suspended", AppSuspended), ("deleted", AppDeleted)])
async def test_suspended_and_deleted_apps_are_refused(node, status, error):
    token = sign(node)
    node.change(node.tenant, status=status)
    for credential in (token, node.tenant.secret_key):
        with pytest.raises(error):
            node.authenticator.bearer(credential)


async def test_origins_are_the_apps_own(node):
    node.change(node.tenant, allowed_origins=("https://good.example", "http://localhost:3000"))
    token = sign(node)
    for origin in (None, "https://good.example", "HTTPS://Good.example", "http://localhost:3000"):
        assert node.authenticator.bearer(token, origin=origin).user_id == "ada"
    for origin in ("https://bad.example", "http://good.example", "https://good.example.bad", "null", "*", ""):
        for credential in (token, node.tenant.secret_key):
            with pytest.raises(OriginNotAllowed):
                node.authenticator.bearer(credential, origin=origin)


async def test_requests_carry_their_credential_in_the_bearer_scheme_only(node, api):
    for headers in ({}, {"authorization": "Basic x"}, {"authorization": "Bearer"}):
        response = await api.get("/v1/users/ada", headers=headers)
        assert response.status_code == 401, response.text
        assert response.headers["www-authenticate"].startswith("Bearer")
    bad_origin = {**node.server(), "origin": "https://bad.example"}
    node.change(node.tenant, allowed_origins=("https://good.example",))
    response = await api.get("/v1/users/ada", headers=bad_origin)
    assert (response.status_code, response.json()["code"]) == (403, "origin_not_allowed")


async def test_the_snapshot_survives_its_own_encoding(node):
    snapshot = node.tenant.snapshot
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=type(snapshot)) == snapshot
