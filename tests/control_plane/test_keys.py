"""Keys of every form that customers have, and none of a form they should not have."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import text

from control_plane.apps.origins import check_origins
from control_plane.keys.api_keys import MAX_LIVE_KEYS, create_secret_key, revoke_api_key, rotate_secret_key
from control_plane.keys.public_keys import parse_public_key
from control_plane.keys.signing_keys import add_public_key, create_signing_secret, revoke_signing_key
from control_plane.snapshots.builder import build_page
from kernel.contracts import AppSnapshot
from kernel.errors import Conflict, InvalidInput, NotFound
from kernel.ids import parse_id
from tests.control_plane.fixtures import World, app_uuid

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def pem(private: Any) -> str:
    encoded: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


def b64(number: int | bytes) -> str:
    raw = number if isinstance(number, bytes) else number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk_of(private: Any) -> dict[str, str]:
    public = private.public_key()
    if private is RSA:
        return {"kty": "RSA", "n": b64(public.public_numbers().n), "e": b64(65537)}
    if private is EC:
        numbers = public.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32))}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}


@pytest.mark.parametrize(("private", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")])
def test_pem_and_jwk_of_a_key_are_the_same_key(private: Any, algorithm: str) -> None:
    (from_pem,) = parse_public_key(pem(private), kid="k")
    (from_jwk,) = parse_public_key(json.dumps({**jwk_of(private), "kid": "k", "use": "sig", "alg": algorithm}))

    assert from_pem == from_jwk
    assert from_pem.algorithm == algorithm
    assert from_pem.pem == pem(private)


def _bad_material() -> dict[str, str]:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    private = ED.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "nothing": "",
        "text": "hello",
        "private": private,
        "private jwk": json.dumps({**jwk_of(ED), "d": b64(b"1" * 32)}),
        "shared secret": json.dumps({"kty": "oct", "k": b64(b"1" * 32)}),
        "weak": pem(weak),
        "other curve": pem(ec.generate_private_key(ec.SECP384R1())),
        "dsa": pem(dsa.generate_private_key(1024)),
        "broken pem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "point off the curve": json.dumps(
            {"kty": "EC", "crv": "P-256", "x": b64(b"\x01" * 32), "y": b64(b"\x02" * 32)}
        ),
        "half a key": json.dumps({"kty": "RSA", "e": "AQAB"}),
        "not base64": json.dumps({**jwk_of(ED), "x": "!!"}),
        "number for text": json.dumps({"kty": "RSA", "n": 5, "e": 3}),
        "for encryption": json.dumps({**jwk_of(EC), "use": "enc"}),
        "other algorithm": json.dumps({**jwk_of(RSA), "alg": "HS256"}),
        "bad kid": json.dumps({**jwk_of(EC), "kid": "a\nb"}),
        "same kid twice": json.dumps({"keys": [{**jwk_of(EC), "kid": "a"}, {**jwk_of(ED), "kid": "a"}]}),
        "empty set": json.dumps({"keys": []}),
        "set of nothing": json.dumps({"keys": [1]}),
        "list": "[]",
        "deep": "[" * 60_000,
        "long": "x" * 70_000,
    }


@pytest.mark.parametrize(("name", "material"), _bad_material().items(), ids=lambda value: value[:20])
def test_anything_else_is_refused_without_repeating_it(name: str, material: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_public_key(material)

    assert caught.value.data["field"] in ("public_key", "kid")
    assert len(caught.value.message) < 250


async def snapshot(world: World) -> AppSnapshot:
    async with world.deps.database.unit_of_work() as uow:
        page = await build_page(uow.session, world.deps.vault, shard="s0", since=0, now=world.clock.now())
    return page.apps[0]


async def test_an_uploaded_set_reaches_the_snapshot_and_a_kid_is_never_used_twice(world: World) -> None:
    tenant = await world.tenant()
    app = app_uuid(tenant)
    jwks = json.dumps({"keys": [{**jwk_of(EC), "kid": "a"}, jwk_of(ED)]})
    async with world.change() as ctx:
        kids = await add_public_key(ctx, app, jwks)

    found = {key.kid: key for key in (await snapshot(world)).signing_keys}
    assert kids[0] == "a"
    assert found["a"].key == pem(EC)
    assert not found["a"].mint
    assert found[kids[1]].algorithm == "EdDSA"
    async with world.change() as ctx:
        await revoke_signing_key(ctx, app, "a")
    assert "a" not in {key.kid for key in (await snapshot(world)).signing_keys}
    with pytest.raises(Conflict):
        async with world.change() as ctx:
            await add_public_key(ctx, app, pem(RSA), kid="a")


async def test_the_minting_key_changes_hands_without_a_gap(world: World) -> None:
    tenant = await world.tenant()
    app = app_uuid(tenant)
    (first,) = (await snapshot(world)).signing_keys
    with pytest.raises(Conflict):
        async with world.change() as ctx:
            await revoke_signing_key(ctx, app, first.kid)
    async with world.change() as ctx:
        fresh = await create_signing_secret(ctx, app, mint=True)

    keys = {key.kid: key for key in (await snapshot(world)).signing_keys}
    assert [key.kid for key in keys.values() if key.mint] == [fresh.kid]
    assert keys[fresh.kid].key == fresh.secret
    assert keys[first.kid].key == first.key
    async with world.change() as ctx:
        await revoke_signing_key(ctx, app, first.kid)
    assert [key.kid for key in (await snapshot(world)).signing_keys] == [fresh.kid]


async def test_a_key_of_another_app_is_not_there(world: World) -> None:
    await world.tenant("One")
    theirs = await world.tenant("Two")
    async with world.change() as ctx:
        key = await create_secret_key(ctx, app_uuid(theirs))
    mine = await world.tenant("Three")
    for call in (
        lambda ctx: revoke_api_key(ctx, app_uuid(mine), parse_id("key", key.id)),
        lambda ctx: rotate_secret_key(ctx, app_uuid(mine), parse_id("key", key.id), overlap=timedelta()),
        lambda ctx: revoke_signing_key(ctx, app_uuid(mine), "nope"),
    ):
        with pytest.raises(NotFound):
            async with world.change() as ctx:
                await call(ctx)


async def test_revoked_and_expired_keys_are_not_rotated_back_to_life(world: World) -> None:
    app = app_uuid(await world.tenant())
    async with world.change() as ctx:
        key = await create_secret_key(ctx, app, expires_at=world.clock.now() + timedelta(hours=1))
    world.clock.advance(timedelta(hours=1))
    with pytest.raises(Conflict):
        async with world.change() as ctx:
            await rotate_secret_key(ctx, app, parse_id("key", key.id), overlap=timedelta(days=1))


async def test_revoking_twice_is_revoking_once(world: World) -> None:
    app = app_uuid(await world.tenant())
    async with world.change() as ctx:
        key = await create_secret_key(ctx, app)
    versions = set()
    for _ in range(2):
        async with world.change() as ctx:
            versions.add((await revoke_api_key(ctx, app, parse_id("key", key.id))).revoked_version)
    assert len(versions) == 1


async def test_keys_are_limited_in_number_and_form(world: World) -> None:
    app = app_uuid(await world.tenant())
    naive = datetime(2030, 1, 1)
    cases: tuple[dict[str, Any], ...] = (
        {"scopes": []},
        {"scopes": ["Users"]},
        {"scopes": ["a:b:c"]},
        {"expires_at": world.clock.now()},
        {"expires_at": naive},
    )
    for wrong in cases:
        with pytest.raises(InvalidInput) as caught:
            async with world.change() as ctx:
                await create_secret_key(ctx, app, **wrong)
        assert caught.value.data["field"] == next(iter(wrong))
    with pytest.raises(Conflict):
        for _ in range(MAX_LIVE_KEYS):
            async with world.change() as ctx:
                await create_secret_key(ctx, app)
    async with world.deps.database.unit_of_work() as uow:
        count = await uow.session.execute(text("select count(*) from control.api_keys"))
        assert count.scalar_one() == MAX_LIVE_KEYS


def test_origins_are_kept_as_browsers_send_them() -> None:
    given = ["https://Chat.Example.com", "http://localhost:3000", "https://a.example:443", "https://chat.example.com"]
    assert check_origins(given) == ["https://chat.example.com", "http://localhost:3000", "https://a.example"]
    assert check_origins(["*"]) == ["*"]
    assert check_origins(["http://[::1]:8080"]) == ["http://[::1]:8080"]


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["*", "https://a.example"],
        ["https://a.example/"],
        ["https://a.example/path"],
        ["https://*.example.com"],
        ["ftp://a.example"],
        ["a.example"],
        ["null"],
        ["https://user@a.example"],
        ["https://a.example:99999"],
        ["https://"],
        ["https://a.example?x"],
        ["https://bücher.example"],
        ["https://a.example"] * 101,
    ],
)
def test_what_is_no_origin_is_refused(wrong: list[str]) -> None:
    with pytest.raises(InvalidInput):
        check_origins(wrong)
