"""Codes are those of RFC 6238, for the step that it is and its neighbours."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from control_plane.accounts import totp

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    assert totp.code_at(SECRET, seconds // 30, digits=8) == code
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp.matching_step(SECRET, code[-6:], at) == totp.step_of(at)


def test_a_clock_may_be_one_step_off_and_no_more() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    code = totp.code_at(SECRET, totp.step_of(at))
    right = [off for off in range(-3, 4) if totp.matching_step(SECRET, code, at + timedelta(seconds=30 * off))]
    assert right == [-1, 0, 1]


def test_the_picture_says_what_apps_read() -> None:
    parts = urlsplit(totp.uri(SECRET, "ada+x@example.com"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/Natter:ada%2Bx@example.com"
    assert parse_qs(parts.query) == {"secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"], "issuer": ["Natter"]}
