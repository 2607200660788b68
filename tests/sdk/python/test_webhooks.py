"""Webhooks are verified as Standard Webhooks 1.0 says, held against the vectors of its reference libraries."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from natter import WebhookVerificationError, WebhookVerifier

# github.com/standard-webhooks/standard-webhooks, libraries/go: `TestWebhookSign` of webhook_test.go and
# `TestAsymmetricWebhookSign` of webhook_asymmetric_test.go; their other tests are told again below.
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SEED = "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
ED_SIGNATURE = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
WRONG = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
PUBLIC = (
    "whpk_"
    + base64.b64encode(
        Ed25519PrivateKey.from_private_bytes(base64.b64decode(SEED)).public_key().public_bytes_raw()
    ).decode()
)
OTHER = "whsec_" + base64.b64encode(b"another secret of twenty-four").decode()


def headers(signature: str = SIGNATURE, **changes: str) -> dict[str, str]:
    """Those of a delivery; a name without value is left out."""
    said = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": signature}
    said |= {f"webhook-{name}": value for name, value in changes.items()}
    return {name: value for name, value in said.items() if value}


def verifier(*secrets: str, now: float = AT, **options: Any) -> WebhookVerifier:
    return WebhookVerifier(secrets or (SECRET,), now=lambda: now, **options)


def sign(body: bytes, secret: str = SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{ID}.{AT}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def test_the_published_signatures_are_right() -> None:
    event = verifier().verify(BODY, headers())
    assert (event.id, event.timestamp, event.data, event.type) == (ID, AT, {"test": 2432232314}, None)
    assert verifier(PUBLIC).verify(BODY, headers(ED_SIGNATURE)).data == {"test": 2432232314}
    assert WebhookVerifier(SECRET.removeprefix("whsec_"), now=lambda: AT).verify(BODY.decode(), headers()).id == ID


def test_header_names_are_read_in_any_case() -> None:
    shouted = {name.title(): value for name, value in headers().items()}
    assert verifier().verify(BODY, shouted).id == ID


@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
def test_what_lacks_a_header_is_refused(name: str) -> None:
    with pytest.raises(WebhookVerificationError, match=f"missing: webhook-{name}"):
        verifier().verify(BODY, headers(**{name: ""}))


@pytest.mark.parametrize(
    "signature",
    [
        WRONG,
        "v1,",
        "v1",
        SIGNATURE.removeprefix("v1,"),
        SIGNATURE[:-6],
        "v2" + SIGNATURE[2:],
        "v1a" + SIGNATURE[2:],
        SIGNATURE.replace(",", ", "),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",
        ED_SIGNATURE,
        "",
        " ",
        "v1,é",
    ],
)
def test_a_wrong_signature_is_refused(signature: str) -> None:
    with pytest.raises(WebhookVerificationError):
        verifier().verify(BODY, headers(signature or " "))


def test_any_change_of_what_was_signed_is_noticed() -> None:
    for body, changes in (
        (b'{"test":2432232314}', {}),
        (BODY + b" ", {}),
        (BODY, {"id": "msg_other"}),
        (BODY, {"timestamp": str(AT + 1)}),
    ):
        with pytest.raises(WebhookVerificationError, match="no signature is right"):
            verifier().verify(body, headers(**changes))
        with pytest.raises(WebhookVerificationError, match="no signature is right"):
            verifier(PUBLIC).verify(body, headers(ED_SIGNATURE, **changes))


def test_one_right_signature_among_several_is_enough() -> None:
    assert verifier().verify(BODY, headers(f"{WRONG} v2,{WRONG[3:]} {ED_SIGNATURE} {SIGNATURE} {WRONG}")).id == ID


def test_while_a_secret_is_rotated_both_are_good() -> None:
    both = verifier(OTHER, SECRET, PUBLIC)
    for signature in (SIGNATURE, sign(BODY, OTHER), ED_SIGNATURE):
        assert both.verify(BODY, headers(signature)).id == ID
    with pytest.raises(WebhookVerificationError):
        verifier(OTHER).verify(BODY, headers())


def test_a_delivery_is_good_for_five_minutes_either_way() -> None:
    for now in (AT - 300, AT, AT + 300):
        assert verifier(now=now).verify(BODY, headers()).id == ID
    with pytest.raises(WebhookVerificationError, match="too old"):
        verifier(now=AT + 300.5).verify(BODY, headers())
    with pytest.raises(WebhookVerificationError, match="future"):
        verifier(now=AT - 300.5).verify(BODY, headers())
    assert verifier(now=AT + 3000, tolerance=3600).verify(BODY, headers()).id == ID


@pytest.mark.parametrize("said", ["soon", "-5", "1e9", "1614265330.0", " 1614265330", "٣", "9" * 20])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(said: str) -> None:
    with pytest.raises(WebhookVerificationError, match="no number"):
        verifier().verify(BODY, headers(timestamp=said))


def test_a_body_that_was_signed_but_is_no_json_is_refused() -> None:
    with pytest.raises(WebhookVerificationError, match="no JSON"):
        verifier().verify(b"<event/>", headers(sign(b"<event/>")))


def test_the_type_of_an_event_is_what_its_body_says() -> None:
    body = json.dumps({"type": "message.created", "data": {}}).encode()
    assert verifier().verify(body, headers(sign(body))).type == "message.created"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%", "whpk_AAAA", f"whsk_{SEED}"])
def test_a_secret_that_is_none_is_refused_at_once(secret: str) -> None:
    with pytest.raises(ValueError):
        WebhookVerifier(secret)
    with pytest.raises(ValueError, match="no secret"):
        WebhookVerifier([])
