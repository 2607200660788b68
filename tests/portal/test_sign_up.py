"""From nothing to a confirmed account, without scripts."""

import re
from urllib.parse import quote, urlsplit

import httpx

from tests.portal.apps.forms import submit
from tests.portal.harness import PASSWORD, Portal


async def signed_up(portal: Portal, email: str, **values: str) -> httpx.AsyncClient:
    """A browser that has just signed up."""
    client = await portal.client()
    sent = {"name": "Ada Lovelace", "email": email, "password": PASSWORD}
    answer = await submit(client, "/sign-up", "/sign-up", sent, **values)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/check-mail"
    return client


async def test_the_way_from_signing_up_to_the_first_app(portal: Portal) -> None:
    client = await signed_up(portal, "ada@example.com")
    mailed = await client.get("/check-mail")
    assert "ada@example.com" in mailed.text
    link = urlsplit(await portal.link("ada@example.com")).path
    confirmed = await submit(client, link, link)
    assert (confirmed.status_code, confirmed.headers["location"]) == (303, "/")
    start = await client.get("/")
    assert start.headers["location"] == "/welcome"
    made = await submit(client, "/welcome", "/welcome", {"organization": "Analytical Engines", "app": "Support chat"})
    assert made.status_code == 200
    keys = [row["value"] for row in await portal.sql("select value from control.api_keys where value is not null")]
    assert keys[0] in made.text
    assert re.search("sk_[0-9a-z]{39}", made.text), "the answer holds the secret key, this once"
    assert (await client.get("/")).headers["location"].startswith("/organizations/org_")


async def test_the_page_after_signing_up_says_where_mail_lands_and_never_the_link(portal: Portal) -> None:
    client = await signed_up(portal, "ada@example.com")
    page = await client.get("/check-mail")
    assert "natter outbox" in page.text
    assert (await portal.link("ada@example.com")).rpartition("/")[2] not in page.text
    assert 'href="/outbox"' not in page.text, "who may not open it is not sent there"


async def test_an_address_that_is_known_gets_the_same_answer(portal: Portal) -> None:
    await portal.account("known@example.com")
    fresh, known = await signed_up(portal, "fresh@example.com"), await signed_up(portal, "known@example.com")
    pages = [(await client.get("/check-mail")).text for client in (fresh, known)]
    assert pages[0].replace("fresh@", "known@") == pages[1].replace(fresh_token(pages[1]), fresh_token(pages[0])), (
        "the pages differ in the token of the browser alone"
    )
    assert {cookie.name for cookie in fresh.cookies.jar} == {cookie.name for cookie in known.cookies.jar}
    assert (await portal.letters("known@example.com"))[0].kind == "account_exists"


async def test_another_browser_must_know_the_password(portal: Portal) -> None:
    await signed_up(portal, "ada@example.com")
    link = urlsplit(await portal.link("ada@example.com")).path
    stranger = await portal.client()
    wrong = await submit(stranger, link, link, {"password": "a wrong password"})
    assert wrong.status_code == 422
    assert "not the password" in wrong.text
    assert "natter_session" not in stranger.cookies
    right = await submit(stranger, link, link, {"password": PASSWORD})
    assert right.status_code == 303
    assert "natter_session" in stranger.cookies


async def test_opening_the_link_confirms_nothing(portal: Portal) -> None:
    client = await signed_up(portal, "ada@example.com")
    link = urlsplit(await portal.link("ada@example.com")).path
    for _ in range(2):
        assert (await client.get(link)).status_code == 200
    rows = await portal.sql("select verified_at from control.accounts where email = 'ada@example.com'")
    assert rows[0]["verified_at"] is None


async def test_a_link_works_once(portal: Portal) -> None:
    client = await signed_up(portal, "ada@example.com")
    link = urlsplit(await portal.link("ada@example.com")).path
    assert (await submit(client, link, link)).status_code == 303
    again = await client.get(link)
    assert again.status_code == 404
    assert "This link has ended" in again.text


async def test_errors_stand_beside_their_fields_and_what_was_typed_stays(portal: Portal) -> None:
    client = await portal.client()
    sent = {"name": "Ada <Lovelace>", "email": "ada@example.com", "password": "short"}
    answer = await submit(client, "/sign-up", "/sign-up", sent)
    assert answer.status_code == 422
    assert "Password must be 8 to 128 characters long." in answer.text
    assert 'value="Ada &lt;Lovelace&gt;"' in answer.text
    assert 'value="ada@example.com"' in answer.text
    assert "short" not in answer.text.replace("shortcut", ""), "a password is never sent back"
    blank = await submit(client, "/sign-up", "/sign-up")
    assert "Enter your name." in blank.text
    assert "Choose a password." in blank.text


async def test_an_invitation_is_found_again_after_the_way_through_the_mailbox(portal: Portal) -> None:
    wanted = "/invitations/some-token"
    client = await signed_up(portal, "ada@example.com", next=wanted)
    link = urlsplit(await portal.link("ada@example.com")).path
    assert (await submit(client, link, link)).headers["location"] == wanted


async def test_the_way_back_never_leads_elsewhere(portal: Portal) -> None:
    await portal.account("ada@example.com")
    for evil in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
    ):
        client = await portal.client()
        sent = {"email": "ada@example.com", "password": PASSWORD}
        answer = await submit(client, f"/sign-in?next={quote(evil)}", "/sign-in", sent, next=evil)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == "/", evil


def fresh_token(page: str) -> str:
    """The token that the page's forms carry."""
    return page.partition('name="csrf" value="')[2].partition('"')[0]
