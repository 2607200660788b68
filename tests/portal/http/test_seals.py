"""What a browser keeps for us cannot be made or changed by it."""

from collections.abc import Callable

import httpx
import pytest

from kernel.security.vault import Vault
from portal.http.page import own_path
from portal.http.seal import sign, signed_by_us, unwrap, wrap
from tests.portal.harness import Portal

VAULT = Vault(Vault.generate_master_key())


def test_what_is_wrapped_comes_back_for_its_purpose_only() -> None:
    value = wrap(VAULT, "flash", "Grüße".encode())
    assert unwrap(VAULT, "flash", value) == "Grüße".encode()
    assert unwrap(VAULT, "mailed", value) is None
    assert unwrap(Vault(Vault.generate_master_key()), "flash", value) is None


@pytest.mark.parametrize(
    "spoil", [lambda v: v[1:], lambda v: "A" + v, lambda v: v[:-1], lambda v: v + "0", lambda _: ""]
)
def test_a_changed_value_is_nothing(spoil: Callable[[str], str]) -> None:
    assert unwrap(VAULT, "flash", spoil(wrap(VAULT, "flash", b"content"))) is None


def test_parts_cannot_be_shifted() -> None:
    signature = sign(VAULT, "new-id", "ab", "c")
    assert signed_by_us(VAULT, "new-id", signature, "ab", "c")
    assert not signed_by_us(VAULT, "new-id", signature, "a", "bc")
    assert not signed_by_us(VAULT, "new-id", "é" * 64, "ab", "c")


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/account", "/account"),
        ("/organizations/org_1?search=a b", "/"),
        ("/organizations/org_1?search=a%20b&cursor=x", "/organizations/org_1?search=a%20b&cursor=x"),
        ("/ü", "/%C3%BC"),
        ("", "/"),
        ("account", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("/a\r\nset-cookie: x=y", "/"),
        ("/\x00", "/"),
        ("https://evil.example", "/"),
        ("/" + "a" * 500, "/"),
    ],
)
def test_own_paths(path: str, leads_to: str) -> None:
    assert own_path(path) == leads_to


async def test_a_word_for_the_next_page_cannot_be_put_into_anothers_browser(portal: Portal) -> None:
    client: httpx.AsyncClient = await portal.client(natter_flash="eyJ0ZXh0IjoiQ2FsbCAwMTIzIn0." + "0" * 64)
    answer = await client.get("/sign-in")
    assert answer.status_code == 200
    assert "Call 0123" not in answer.text
