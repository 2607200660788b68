"""The security pages: two-step sign-in, the question who it is, and addresses that change."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

from control_plane.accounts import totp
from kernel.ids import format_id
from tests.portal.apps.forms import forms_of, submit
from tests.portal.conftest import Tab
from tests.portal.harness import PASSWORD, Portal, Somebody
from tests.portal.security import changed_address, secret_of, two_step_on

LATER = timedelta(minutes=10)
NEW = "another password altogether"


async def test_two_step_sign_in_from_the_first_code_to_the_last(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    client = await portal.client(ada)
    assert (await submit(client, "/account/security", "/account/two-step/offer")).status_code == 303
    page = await client.get("/account/two-step")
    secret = await secret_of(portal, ada)
    assert totp.spell(secret) in page.text
    assert 'src="data:image/svg+xml' in page.text
    wrong = await submit(client, "/account/two-step", "/account/two-step", {"code": "000000"})
    assert wrong.status_code == 422
    assert "This code is not right" in wrong.text

    code = totp.code_at(secret, totp.step_of(portal.clock.now()))
    shown = await submit(client, "/account/two-step", "/account/two-step", {"code": code})
    codes = re.findall(r"\b[2-9a-z]{5}-[2-9a-z]{5}\b", shown.text)
    assert len(set(codes)) == 10
    security = (await client.get("/account/security")).text
    assert "10 of 10 left" in security
    assert not any(code in security for code in codes), "they are shown once"

    browser = await portal.client()
    values = {"email": "ada@example.com", "password": PASSWORD, "next": "/organizations/new"}
    answer = await submit(browser, "/sign-in", "/sign-in", values)
    assert answer.headers["location"] == "/sign-in/code"
    assert (await browser.get("/account")).status_code == 303, "the first step opens nothing"
    assert (await submit(browser, "/sign-in/code", "/sign-in/code", {"code": code})).status_code == 422
    answer = await submit(browser, "/sign-in/code", "/sign-in/code", {"code": codes[0]})
    assert answer.headers["location"] == "/organizations/new"
    assert "9 of 10 left" in (await browser.get("/account/security")).text
    assert (await browser.get("/sign-in/code")).headers["location"] == "/sign-in"

    assert (await submit(browser, "/account/two-step/off", "/account/two-step/off")).status_code == 303
    assert (await client.get("/account")).status_code == 303, "the other browser is signed out"
    assert (await submit(await portal.client(), "/sign-in", "/sign-in", values)).headers["location"] == values["next"]


async def test_the_code_is_asked_for_ten_minutes(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    codes = await two_step_on(portal, ada)
    browser = await portal.client()
    values = {"email": "ada@example.com", "password": PASSWORD}
    await submit(browser, "/sign-in", "/sign-in", values)
    form = forms_of((await browser.get("/sign-in/code")).text)[0]
    portal.clock.advance(LATER)
    answer = await browser.post("/sign-in/code", data={**form.values, "code": codes[0]})
    assert answer.headers["location"] == "/sign-in"
    assert "more than ten minutes" in (await browser.get("/sign-in")).text


async def test_a_page_that_wants_it_is_come_back_to_once_it_is_confirmed(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    await two_step_on(portal, ada)
    client, copy = await portal.client(ada), await portal.client(ada)
    assert (await client.get("/account/two-step/off")).status_code == 200, "just signed in"
    portal.clock.advance(LATER)
    for headers, status, header in (
        ({}, 303, "location"),
        ({"hx-request": "true", "hx-boosted": "true"}, 403, "hx-redirect"),
    ):
        answer = await client.get("/account/two-step/off", headers=headers)
        assert answer.status_code == status
        assert answer.headers[header] == "/confirm?next=/account/two-step/off"
    where = {"hx-request": "true", "hx-current-url": f"{portal.url}/account/security"}
    assert (await client.get("/account/two-step/off", headers=where)).headers["hx-redirect"] == (
        "/confirm?next=/account/security"
    )
    page = answer.headers["hx-redirect"]
    for typed in ({}, {"confirm_password": "wrong"}, {"confirm_code": "000000"}):
        refused = await submit(client, page, "/confirm", typed)
        assert refused.status_code == 422
        assert 'class="error"' in refused.text
    answer = await submit(client, page, "/confirm", {"confirm_password": PASSWORD})
    assert answer.headers["location"] == "/account/two-step/off"
    assert (await client.get("/account/two-step/off")).status_code == 200
    assert (await copy.get("/account")).status_code == 303, "a copy of the cookie was left behind"
    assert (
        "evil"
        not in (
            await submit(client, "/confirm?next=//evil.example", "/confirm", {"confirm_password": PASSWORD})
        ).headers["location"]
    )


async def kept_form(
    portal: Portal, client: httpx.AsyncClient, path: str, action: str, values: dict[str, str]
) -> httpx.Response:
    """Open a form, take more than ten minutes, send it: what comes instead of an answer."""
    page = await client.get(path)
    form = next(form for form in forms_of(page.text) if form.action == action)
    portal.clock.advance(LATER)
    return await client.post(action, data={**form.values, **values})


async def test_a_form_that_took_long_is_kept_and_goes_on_with_the_password(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    client = await portal.client(ada)
    asked = await kept_form(portal, client, "/account/security", "/account/email", {"email": "countess@example.com"})
    assert asked.status_code == 403
    form = forms_of(asked.text)[0]
    assert (form.action, form.values["email"]) == ("/account/email", "countess@example.com")
    assert await portal.letters("countess@example.com") == []

    wrong = await client.post("/account/email", data={**form.values, "confirm_password": "wrong"})
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    form = forms_of(wrong.text)[0]
    assert form.values["email"] == "countess@example.com", "also after a wrong password"
    answer = await client.post("/account/email", data={**form.values, "confirm_password": PASSWORD})
    assert answer.headers["location"] == "/account/security"
    assert (await portal.letters("countess@example.com"))[0].kind == "confirm_new_address"
    assert (await client.get("/account/two-step/off")).status_code == 303, "to Security: two-step sign-in is off"


async def test_a_part_of_a_page_that_wants_it_says_that_nothing_was_changed(portal: Portal) -> None:
    client = await portal.client(await portal.account("ada@example.com"))
    token = forms_of((await client.get("/account")).text)[0].values["csrf"]
    portal.clock.advance(LATER)
    headers = {"hx-request": "true", "hx-current-url": f"{portal.url}/account/security"}
    answer = await client.post("/account/email", data={"csrf": token, "email": "x@example.com"}, headers=headers)
    assert answer.headers["hx-redirect"] == "/confirm?next=/account/security"
    assert "Nothing was changed yet." in (await client.get(answer.headers["hx-redirect"])).text
    program = await client.post(
        "/account/email", data={"csrf": token, "email": "x@example.com"}, headers={"accept": "application/json"}
    )
    assert (program.status_code, program.json()["code"]) == (403, "confirmation_needed")


@pytest.mark.parametrize(
    ("environment", "path", "action", "asked"),
    [
        ("production", "keys/new", "keys", True),
        ("development", "keys/new", "keys", False),
        ("production", "keys/{secret}/roll", "keys/{secret}/roll", True),
        ("development", "keys/{secret}/roll", "keys/{secret}/roll", False),
        ("development", "keys/{secret}/revoke", "keys/{secret}/revoke", True),
        ("production", "keys/{publishable}/revoke", "keys/{publishable}/revoke", True),
        ("production", "quickstart", "quickstart", True),
        ("development", "quickstart", "quickstart", False),
        ("production", "keys", "keys/publishable", False),
    ],
)
async def test_keys_want_it_where_they_matter(
    shared_portal: Portal, address: Callable[[], str], environment: str, path: str, action: str, asked: bool
) -> None:
    portal = shared_portal
    ada = await portal.account(address())
    member = await portal.organization(ada, f"Of {ada.person.email}")
    made = await portal.app_of(member, environment=environment)
    base = f"/apps/{made.app.public_id}"
    for kind in ("secret", "publishable"):
        rows = await portal.sql("select id from control.api_keys where app_id = $1 and kind = $2", made.app.id, kind)
        key = format_id("key", rows[0]["id"])
        path, action = path.replace(f"{{{kind}}}", key), action.replace(f"{{{kind}}}", key)
    answer = await kept_form(portal, await portal.client(ada), f"{base}/{path}", f"{base}/{action}", {})
    assert ("Confirm that it is you" in answer.text) is asked
    assert (answer.status_code == 403) is asked


async def test_removing_a_member_wants_it(portal: Portal) -> None:
    ada, grace = await portal.account("ada@example.com"), await portal.account("grace@example.com", "Grace")
    member = await portal.organization(ada)
    await portal.join(member, grace)
    path = f"/organizations/{member.public_organization_id}/members/{grace.person.public_id}"
    client = await portal.client(ada)
    asked = await kept_form(portal, client, path, f"{path}/remove", {"email": "grace@example.com"})
    assert asked.status_code == 403
    form = forms_of(asked.text)[0]
    answer = await client.post(form.action, data={**form.values, "confirm_password": PASSWORD})
    assert answer.status_code == 303
    assert (await (await portal.client(grace)).get(path)).status_code == 404


@pytest.mark.parametrize(("role", "asked"), [("owner", True), ("viewer", False)])
async def test_making_an_owner_wants_it(portal: Portal, role: str, asked: bool) -> None:
    ada, grace = await portal.account("ada@example.com"), await portal.account("grace@example.com", "Grace")
    member = await portal.organization(ada)
    await portal.join(member, grace)
    base = f"/organizations/{member.public_organization_id}/members"
    client = await portal.client(ada)
    person = f"{base}/{grace.person.public_id}"
    by_role = await kept_form(portal, client, person, f"{person}/role", {"role": role})
    by_mail = await kept_form(
        portal, client, f"{base}/invite", f"{base}/invite", {"email": "x@example.com", "role": role}
    )
    assert [answer.status_code for answer in (by_role, by_mail)] == [403 if asked else 303] * 2
    assert ((await portal.member(grace, member.organization_id)).role == role) is not asked


async def test_a_new_address_is_confirmed_by_its_account_alone(portal: Portal) -> None:
    ada, bob = await portal.account("ada@example.com"), await portal.account("bob@example.com", "Bob")
    client = await portal.client(ada)
    values = {"email": "countess@example.com"}
    assert (await submit(client, "/account/security", "/account/email", values)).status_code == 303
    link = urlsplit(await portal.link("countess@example.com")).path
    assert (await (await portal.client(bob)).get(link)).status_code == 404
    stranger = await (await portal.client()).get(link)
    assert stranger.headers["location"] == f"/sign-in?next={link}"
    assert (await submit(client, link, link)).headers["location"] == "/account/security"
    assert "countess@example.com" in (await client.get("/account/security")).text
    assert (await client.get(link)).status_code == 404


async def test_the_old_mailbox_takes_the_account_back_and_sets_a_password(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    thief = await portal.client(ada)
    back = await changed_address(portal, ada, "thief@evil.example")
    client = await portal.client()
    answer = await submit(client, back, back)
    reset = answer.headers["location"]
    assert reset.startswith("/reset/")
    assert (await thief.get("/account")).status_code == 303
    assert (await submit(client, reset, reset, {"password": NEW})).status_code == 303
    assert "ada@example.com" in (await client.get("/account/security")).text
    assert (await client.get(back)).status_code == 404


async def test_it_all_works_by_keyboard_and_boosted_forms(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    """In a real browser with scripts, where forms are sent by htmx: the question comes, and the form goes on."""
    ada: Somebody = await shared_portal.account(address())
    page = await tab(ada)
    await page.goto("/account/security")
    new = address()
    await page.get_by_label("New e-mail").fill(new)
    shared_portal.clock.advance(LATER)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text(f"We sent a link to {new}.")).to_be_visible()
    await page.get_by_role("button", name="Set up").click()
    await expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    code = totp.code_at(await secret_of(shared_portal, ada), totp.step_of(shared_portal.clock.now()))
    await page.get_by_label("Enter the code").fill(code)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    await page.get_by_role("link", name="I have stored them").click()
    await expect(page.get_by_text("10 of 10 left")).to_be_visible()
