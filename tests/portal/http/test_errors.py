"""Failures as pages, as parts of pages, and as documents for programs."""

import re

import httpx
import pytest

from tests.portal.apps.forms import submit
from tests.portal.harness import Portal


async def posted(
    client: httpx.AsyncClient, body: bytes, kind: str = "application/x-www-form-urlencoded"
) -> httpx.Response:
    """Send a body to the page of sign-in, with its token."""
    token = (await client.get("/sign-in")).text.partition('name="csrf" value="')[2][:64]
    return await client.post("/sign-in", content=body, headers={"content-type": kind, "x-csrf-token": token})


async def test_an_unknown_address_is_a_page_with_the_requests_id(shared_portal: Portal) -> None:
    answer = await (await shared_portal.client()).get("/nothing/here")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "This page does not exist" in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "/nothing/here" not in answer.text


async def test_a_method_that_a_page_does_not_know(shared_portal: Portal) -> None:
    answer = await (await shared_portal.client()).put("/sign-in")
    assert answer.status_code == 405
    assert "This method is not allowed here" in answer.text


async def test_programs_get_documents(shared_portal: Portal) -> None:
    client = await shared_portal.client()
    for path in ("/v1/nothing", "/internal/v1/nothing"):
        answer = await client.get(path, headers={"accept": "text/html"})
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    answer = await client.get("/account", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")


async def test_a_failed_part_is_a_word_in_the_corner(shared_portal: Portal) -> None:
    client = await shared_portal.client()
    answer = await client.get("/nothing", headers={"hx-request": "true"})
    assert answer.status_code == 404
    assert answer.headers["hx-retarget"] == "#notices"
    assert answer.headers["x-request-id"] in answer.text
    assert "<html" not in answer.text
    boosted = await client.get("/nothing", headers={"hx-request": "true", "hx-boosted": "true"})
    assert "<html" in boosted.text
    assert "hx-retarget" not in boosted.headers


async def test_a_defect_shows_nothing_internal(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    client = await portal.client(ada)
    await portal.sql("alter table control.memberships rename to gone")
    for headers in ({}, {"hx-request": "true"}):
        answer = await client.get("/organizations/new", headers=headers)
        assert answer.status_code == 500
        assert "Something went wrong on our side" in answer.text
        assert answer.headers["x-request-id"] in answer.text
        assert not re.search("memberships|Traceback|sqlalchemy|asyncpg", answer.text)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"email=a%00b", 422),
        (b"email=%ED%A0%80", 422),
        (b"email=%FF", 422),
        ("email=é".encode("latin-1"), 422),
        (b"email=a&email=b", 422),
        (b"email=a&admin=true", 422),
        (b"&".join(b"email=%d" % number for number in range(300)), 422),
        (b"email=" + b"a" * 70_000, 413),
        (b"", 422),
        (b"%%%", 422),
    ],
)
async def test_a_form_that_no_page_sends(shared_portal: Portal, body: bytes, status: int) -> None:
    answer = await posted(await shared_portal.client(), body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_a_body_that_is_no_form(shared_portal: Portal, kind: str) -> None:
    answer = await posted(await shared_portal.client(), b'{"email": "a"}', kind)
    assert answer.status_code == 415, answer.text


@pytest.mark.parametrize("query", ["next=%00", "next=%ED%A0%80", "next=%", "next=%zz", "%FF"])
async def test_an_address_that_no_text_can_be(shared_portal: Portal, query: str) -> None:
    answer = await (await shared_portal.client()).get(f"/sign-in?{query}")
    assert answer.status_code == 422
    assert "The request is not valid" in answer.text


@pytest.mark.parametrize(
    "path", ["/verify/%00", "/organizations/org_%ED%A0%80", "/invitations/%F0%9F%98%80", "/reset/%FF"]
)
async def test_a_path_that_leads_nowhere(shared_portal: Portal, path: str) -> None:
    answer = await (await shared_portal.client()).get(path, follow_redirects=False)
    assert answer.status_code in (303, 404, 422)


async def test_broken_cookies_are_no_cookies(shared_portal: Portal) -> None:
    for value in ("", "x", "x.y", "é".encode().decode("latin-1"), "a" * 3000, '"', "eyJ0ZXh0Ijo.deadbeef"):
        headers = [
            (b"cookie", f"{name}={value}".encode("latin-1"))
            for name in ("natter_session", "natter_owner", "natter_flash", "natter_visitor", "natter_mailed", "theme")
        ]
        client = await shared_portal.client()
        for path in ("/sign-in", "/check-mail", "/"):
            assert (await client.get(path, headers=headers)).status_code in (200, 303), (value, path)


async def test_texts_of_every_kind_are_kept_as_they_are(shared_portal: Portal) -> None:
    ada = await shared_portal.account("texts@example.com")
    client = await shared_portal.client(ada)
    for name in ("ΑΒΓ & co. <3", "名前", "👩‍👩‍👧", "a%20b+c", "' or 1=1 --"):
        assert (await submit(client, "/account", "/account/name", {"name": name})).status_code == 303
        rows = await shared_portal.sql("select name from control.accounts where email = 'texts@example.com'")
        assert rows[0]["name"] == name
