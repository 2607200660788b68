"""Bad input: what no field takes, what no token is, what no request line holds."""

import base64
import hmac
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kernel.contracts import SigningKey
from tests.api.house import House

Value = bytes
"""JSON as it goes over the wire."""

VALUES: dict[str, Value] = {
    "null": b"null",
    "a boolean": b"true",
    "an integer": b"5",
    "a negative integer": b"-1",
    "a huge integer": b"1" + b"0" * 400,
    "an integer beyond 64 bits": b"18446744073709551616",
    "a fraction": b"1.5",
    "a huge float": b"1e308",
    "no number": b"NaN",
    "infinity": b"1e400",
    "empty text": b'""',
    "blank text": b'" \\n\\t"',
    "text": b'"some text"',
    "long text": b'"' + b"x" * 30_000 + b'"',
    "a megabyte of text": b'"' + b"x" * 1_000_000 + b'"',
    "a NUL": b'"a\\u0000b"',
    "half a surrogate pair": b'"\\ud800"',
    "two halves in the wrong order": b'"\\udc00\\ud800"',
    "bytes that are no UTF-8": b'"\xff\xfe"',
    "a control character": b'"a\x01b"',
    "SQL": b'"\'; drop table chat.users; --"',
    "a list": b"[1, 2]",
    "an empty list": b"[]",
    "a list of wrong things": b'[null, {"a": []}, "b"]',
    "a long list": b"[" + b",".join([b'"a"'] * 500) + b"]",
    "an object": b'{"a": 1}',
    "an object with a NUL in a name": b'{"a\\u0000": 1}',
    "an object with half a surrogate in a name": b'{"\\ud800": 1}',
    "an object that is too deep": b'{"a":' * 20 + b"1" + b"}" * 20,
    "an object that is far too deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "an object that is too large": b'{"a": "' + b"x" * 20_000 + b'"}',
}

BODIES: dict[str, bytes] = {
    "no JSON": b"{",
    "another's JSON": b"{'a': 1}",
    "a list": b"[]",
    "null": b"null",
    "text": b'"text"',
    "a number": b"5",
    "two values": b"{} {}",
    "no UTF-8": b'{"\xff": 1}',
    "a mark before": b"\xef\xbb\xbf{}",
    "far too deep": b"[" * 100_000,
    "a NUL byte": b"\x00",
    "an unknown field": b'{"an_unknown_field": 1}',
    "a field without name": b'{"": 1}',
    "too large": b'{"a": "' + b"x" * 400_000 + b'"}',
}

PATHS: dict[str, str] = {
    "a NUL": "a%00b",
    "no UTF-8": "%ff%fe",
    "half a surrogate pair": "%ed%a0%80",
    "no percent-encoding": "%zz",
    "a space": "a%20b",
    "too long": "x" * 65,
    "far too long": "x" * 5_000,
    "SQL": "'%20or%20'1'%3D'1",
    "another script": "%D1%87%D0%B0%D1%82",
}

QUERIES: dict[str, str] = {
    "a NUL": "a%00b",
    "no UTF-8": "%ff",
    "half a surrogate pair": "%ed%a0%80",
    "no percent-encoding": "%zz",
    "too long": "x" * 300,
    "far too long": "x" * 20_000,
    "a huge number": "9" * 5_000,
    "a negative number": "-1",
    "a fraction": "1.5",
    "no number": "NaN",
    "JSON": "%7B%22a%22%3A1%7D",
    "SQL": "'%20or%20'1'%3D'1",
    "a cursor of nothing": "AAAA",
    "a cursor of another list": "bWVtYmVyczphZGE",
}


def bad_values(field: str | int) -> dict[str, Value]:
    """What a field of that name may be given."""
    moments = str(field).endswith(("_at", "_until", "_time"))
    return VALUES | ({"a time that UTC has not": b'"9999-12-31T23:59:59-23:59"'} if moments else {})


def with_field(body: dict[str, Any], path: tuple[str | int, ...], value: Value) -> bytes:
    """The body with one field replaced, as bytes: the value need be no JSON."""
    mark = "put the value here"
    changed = orjson.loads(orjson.dumps(body))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = mark
    return orjson.dumps(changed).replace(orjson.dumps(mark), value)


class Forger:
    """Makes tokens that are none, for an app with a secret and an RSA key."""

    def __init__(self, house: House) -> None:
        self._house = house
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self._public = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
        keys = (*house.tenant.snapshot.signing_keys, SigningKey(kid="rsa", algorithm="RS256", key=self._public))
        house.change(house.tenant, signing_keys=keys)

    def all(self) -> Iterator[tuple[str, str, set[str]]]:
        """What it is, the credential, and the codes that may refuse it."""
        house, tenant = self._house, self._house.tenant
        good = house.token(tenant, "ada")
        head, claims, signature = good.split(".")
        secret = tenant.snapshot.signing_keys[0].key.encode()
        invalid = {"token_invalid"}
        yield "garbage", "garbage", invalid
        yield "three empty parts", "..", invalid
        yield "a token without signature", f"{head}.{claims}.", invalid
        yield "a token of algorithm none", f"{_part(alg='none', typ='JWT')}.{claims}.", invalid
        yield "none under the key's name", f"{_part(alg='none', kid='k1')}.{claims}.", invalid
        yield "another signature", f"{head}.{claims}.{signature[::-1]}", invalid
        altered = _part(**{**_read(claims), "sub": "grace"})
        yield "other claims under the signature", f"{head}.{altered}.{signature}", invalid
        swapped = _part(alg="HS256", kid="rsa", typ="JWT")
        yield "the public key as a secret", _signed(swapped, claims, self._public.encode()), invalid
        yield "RS256 with the secret's name", f"{_part(alg='RS256', kid='k1')}.{claims}.{signature}", invalid
        yield "an unknown kid", _signed(_part(alg="HS256", kid="other"), claims, secret), invalid
        yield "a kid that is a path", _signed(_part(alg="HS256", kid="../../dev/null"), claims, b""), invalid
        yield "a kid that is no text", _signed(_part(alg="HS256", kid=5), claims, secret), invalid
        yield "a critical header", _signed(_part(alg="HS256", kid="k1", crit=["b64"]), claims, secret), invalid
        yield "another type", _signed(_part(alg="HS256", kid="k1", typ="refresh"), claims, secret), invalid
        yield "another app's audience", house.token(tenant, "ada", app_id=house.other.snapshot.app_id), invalid
        yield "no app's audience", house.token(tenant, "ada", app_id="app_nothing"), invalid
        for name, value in (("aud", None), ("sub", None), ("sub", 5), ("exp", "soon"), ("exp", 1e300), ("iat", None)):
            less = {**_read(claims), name: value}
            if value is None:
                less.pop(name)
            yield f"{name} is {value}", _signed(head, _part(**less), secret), invalid
        yield "no user's id", house.token(tenant, "a b"), invalid
        yield "expired", house.token(tenant, "ada", shift=timedelta(hours=-3)), {"token_expired"}
        yield "from the future", house.token(tenant, "ada", shift=timedelta(hours=1)), invalid
        yield "too long a life", house.token(tenant, "ada", lifetime=timedelta(days=2)), invalid
        yield "deep JSON", f"{head}.{_encode(b'[' * 3_000)}.{signature}", invalid
        yield "too long", good + "a" * 10_000, invalid
        yield "no ASCII", "ключ", {"token_invalid", "unauthenticated"}
        yield "a publishable key", tenant.publishable_key, {"anonymous_off", "token_invalid"}
        yield "a refresh token's form", "rt_" + "0" * 39, {"unauthenticated", "token_invalid"}


def mistyped(credential: str) -> str:
    """It with another last letter."""
    return credential[:-1] + ("1" if credential[-1] == "0" else "0")


def server_keys(house: House) -> Iterator[tuple[str, str, set[str]]]:
    """Secret keys that open nothing."""
    tenant = house.tenant
    revoked = house.add_key(tenant)
    house.change(tenant, secret_keys=tenant.snapshot.secret_keys[:-1])
    yield "a revoked key", revoked, {"unauthenticated"}
    yield "an expired key", house.add_key(tenant, expires_at=house.installation.clock.now()), {"key_expired"}
    yield "a mistyped key", mistyped(tenant.secret_key), {"unauthenticated"}
    yield "half a key", tenant.secret_key[:20], {"unauthenticated"}
    yield "a key of nobody", "sk_" + "0" * 39, {"unauthenticated"}
    yield "a key that is no ASCII", "sk_ключ", {"unauthenticated"}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(**values: Any) -> str:
    return _encode(orjson.dumps(values))


def _read(part: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(part + "=="))
    return found


def _signed(head: str, claims: str, secret: bytes) -> str:
    said = f"{head}.{claims}"
    return f"{said}.{_encode(hmac.new(secret, said.encode(), sha256).digest())}"
