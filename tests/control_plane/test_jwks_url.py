"""A key set by its address: fetched from the internet, and never from our own network."""

import json
from ipaddress import ip_address

import pytest

from control_plane.keys.jwks_url import JwksFetcher, is_public
from control_plane.keys.public_keys import MAX_BYTES, parse_public_key
from kernel.errors import InvalidInput
from tests.control_plane.site import Site, anywhere
from tests.control_plane.test_keys import ED, jwk_of


async def test_the_document_is_fetched_once_over_tls_without_following_anything(site: Site) -> None:
    fetcher = JwksFetcher(permitted=anywhere, context=site.context)
    document = json.dumps({"keys": [jwk_of(ED)]})
    site.says(document.encode())
    assert parse_public_key(await fetcher.fetch(site.url))[0].algorithm == "EdDSA"
    assert site.asked[0].startswith(b"GET /jwks.json HTTP/1.1\r\n")
    for status, headers in (("302 Found", ["location: https://127.0.0.1/"]), ("404 Not Found", []), ("500 x", [])):
        site.says(b"", status, *headers)
        with pytest.raises(InvalidInput, match="answers with"):
            await fetcher.fetch(site.url)
    site.says(b"x" * (MAX_BYTES + 1))
    with pytest.raises(InvalidInput, match="too long"):
        await fetcher.fetch(site.url)
    site.says(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="no text"):
        await fetcher.fetch(site.url)
    site.answer = b"nonsense\r\n\r\n"
    with pytest.raises(InvalidInput, match="reached"):
        await fetcher.fetch(site.url)
    asked = len(site.asked)
    with pytest.raises(InvalidInput, match="certificate"):
        await JwksFetcher(permitted=anywhere).fetch(site.url)
    assert len(site.asked) == asked


async def test_nobody_is_led_into_our_own_network(site: Site) -> None:
    site.says(b"{}")
    fetcher = JwksFetcher(context=site.context)
    for host in (
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[fe80::1]",
        "100.64.0.1",
    ):
        with pytest.raises(InvalidInput, match=r"not on the internet|not known") as refused:
            await fetcher.fetch(f"https://{host}:{site.port}/jwks.json")
        assert refused.value.data["field"] == "jwks_url"
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/",
        "file:///etc/passwd",
        "https://",
        "https://u:p@example.com/",
        "https://a b/",
        "https://x:y/",
    ],
)
async def test_only_plain_https_addresses_are_tried(url: str) -> None:
    with pytest.raises(InvalidInput, match="must be an https address"):
        await JwksFetcher(permitted=anywhere).fetch(url)


def test_what_is_on_the_internet() -> None:
    for public in ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"):
        assert is_public(ip_address(public))
    for inside in ("192.168.1.1", "224.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001::1", "ff02::1", "::"):
        assert not is_public(ip_address(inside)), inside
