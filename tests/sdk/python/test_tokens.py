"""Tokens: made by the server, or signed here as the server wants them."""

import json
import time
from base64 import urlsafe_b64decode
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kernel.contracts import SigningKey
from natter import AsyncNatter, TokenSigner, errors
from tests.clients.installation import Installation, Tenant


def signer(tenant: Tenant, **options: Any) -> TokenSigner:
    key = tenant.snapshot.signing_keys[0]
    return TokenSigner(**{"app_id": tenant.snapshot.app_id, "kid": key.kid, "key": key.key, **options})


async def test_a_token_signed_here_opens_the_api(natter: AsyncNatter, tenant: Tenant) -> None:
    await natter.users.upsert([{"id": "ada"}])
    assert (await natter.with_token(signer(tenant).sign("ada")).me.get()).id == "ada"
    with pytest.raises(errors.TokenInvalid):
        await natter.with_token(signer(tenant, key="another secret, of nobody's").sign("ada")).me.get()
    old = signer(tenant, now=lambda: time.time() - 3600).sign("ada", expires_in=60)
    with pytest.raises(errors.TokenExpired):
        await natter.with_token(old).me.get()
    day = signer(tenant).sign("ada", expires_in=24 * 60 * 60)
    assert (await natter.with_token(day).me.get()).id == "ada", "the longest life is accepted"


async def test_a_revocation_ends_what_was_signed_before_it(natter: AsyncNatter, tenant: Tenant) -> None:
    await natter.users.upsert([{"id": "ada"}])
    before = signer(tenant, now=lambda: time.time() - 1).sign("ada")
    revoked = await natter.tokens.revoke("ada")
    with pytest.raises(errors.TokenRevoked):
        await natter.with_token(before).me.get()
    after = signer(tenant, now=revoked.tokens_valid_after.timestamp).sign("ada")
    assert (await natter.with_token(after).me.get()).id == "ada"


ASYMMETRIC: dict[str, Any] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
async def test_private_keys_sign_what_the_node_verifies(
    algorithm: Any, natter: AsyncNatter, tenant: Tenant, installation: Installation
) -> None:
    private = ASYMMETRIC[algorithm]()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    keys = (*tenant.snapshot.signing_keys, SigningKey(kid="k2", algorithm=algorithm, key=public.decode(), mint=False))
    tenant.snapshot = msgspec.structs.replace(tenant.snapshot, version=2, signing_keys=keys)
    installation.nodes[0].node.snapshots.apply(tenant.snapshot)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    await natter.users.upsert([{"id": "ada"}])
    token = signer(tenant, kid="k2", key=pem, algorithm=algorithm).sign("ada")
    assert (await natter.with_token(token).me.get()).id == "ada"


def test_a_key_of_another_kind_is_refused() -> None:
    pem = ASYMMETRIC["EdDSA"]().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="none for RS256"):
        TokenSigner(app_id="app_x", kid="k", key=pem, algorithm="RS256")


def test_what_the_server_would_refuse_is_refused_here() -> None:
    signer = TokenSigner(app_id="app_x", kid="k", key="s", now=lambda: 1_700_000_000.1234)
    for user_id, seconds in (("", 60), ("ada", 0), ("ada", 86_401)):
        with pytest.raises(ValueError, match=r"user_id|expires_in"):
            signer.sign(user_id, expires_in=seconds)
    with pytest.raises(ValueError, match="empty"):
        TokenSigner(app_id="app_x", kid="k", key="")
    claims = json.loads(urlsafe_b64decode(signer.sign("ada", expires_in=60).split(".")[1] + "=="))
    assert (claims["iat"], claims["exp"]) == (1_700_000_000.123, 1_700_000_060)
    assert (claims["sub"], claims["aud"]) == ("ada", "app_x")
