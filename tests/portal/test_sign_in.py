"""Signing in and out, and what a session opens."""

from datetime import timedelta
from urllib.parse import urlsplit

from control_plane.accounts.client import Client
from kernel.ids import format_id
from tests.portal.apps.forms import submit
from tests.portal.harness import PASSWORD, Portal


async def test_who_knows_the_password_comes_in(portal: Portal) -> None:
    await portal.account("ada@example.com")
    client = await portal.client()
    answer = await submit(client, "/sign-in", "/sign-in", {"email": " Ada@Example.com ", "password": PASSWORD})
    assert answer.status_code == 303
    assert (await client.get("/account")).status_code == 200


async def test_who_does_not_is_told_the_same_for_every_address(portal: Portal) -> None:
    await portal.account("ada@example.com")
    answers = []
    for email in ("ada@example.com", "nobody@example.com"):
        client = await portal.client(natter_visitor="v" * 43)
        answer = await submit(client, "/sign-in", "/sign-in", {"email": email, "password": "a wrong password"})
        assert answer.status_code == 422
        assert "natter_session" not in client.cookies
        answers.append(answer.text.replace(email, ""))
    assert answers[0] == answers[1]


async def test_a_page_that_needs_somebody_is_come_back_to(portal: Portal) -> None:
    await portal.account("ada@example.com")
    client = await portal.client()
    sent = await client.get("/account?x=1")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/sign-in?next=/account%3Fx%3D1"
    values = {"email": "ada@example.com", "password": PASSWORD}
    answer = await submit(client, sent.headers["location"], "/sign-in", values)
    assert answer.headers["location"] == "/account?x=1"


async def test_htmx_is_told_to_leave_the_page(portal: Portal) -> None:
    client = await portal.client()
    where = f"{portal.url}/organizations/new"
    for headers in ({"hx-request": "true"}, {"hx-request": "true", "hx-boosted": "true"}):
        answer = await client.get("/account", headers={**headers, "hx-current-url": where})
        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/sign-in?next=/organizations/new"


async def test_signing_out_ends_the_session_itself(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    client, thief = await portal.client(ada), await portal.client(ada)
    answer = await submit(client, "/account", "/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert any(line.startswith("natter_session=; ") for line in answer.headers.get_list("set-cookie"))
    assert (await thief.get("/account")).status_code == 303, "a copy of the cookie opens nothing any more"


async def test_signing_in_again_ends_the_session_before(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    await portal.account("grace@example.com", "Grace Hopper")
    client, copy = await portal.client(ada), await portal.client(ada)
    token = (await client.get("/account")).text.partition('name="csrf" value="')[2][:64]
    values = {"csrf": token, "email": "grace@example.com", "password": PASSWORD}
    assert (await client.post("/sign-in", data=values)).status_code == 303
    assert "Grace Hopper" in (await client.get("/account")).text
    assert (await copy.get("/account")).status_code == 303


async def test_too_many_tries_are_answered_with_a_wait(portal: Portal) -> None:
    await portal.account("ada@example.com")
    client = await portal.client()
    values = {"email": "ada@example.com", "password": "a wrong password"}
    answers = [await submit(client, "/sign-in", "/sign-in", values) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "Too many tries. Try again in" in answers[-1].text
    assert 'value="ada@example.com"' in answers[-1].text
    portal.clock.advance(timedelta(minutes=1))
    assert (await submit(client, "/sign-in", "/sign-in", {**values, "password": PASSWORD})).status_code == 303


async def test_a_session_ends_when_nobody_comes_for_three_days(portal: Portal) -> None:
    client = await portal.client(await portal.account("ada@example.com"))
    portal.clock.advance(timedelta(days=2, hours=23))
    assert (await client.get("/account")).status_code == 200
    portal.clock.advance(timedelta(days=3, hours=1))
    assert (await client.get("/account")).status_code == 303


async def test_a_reset_replaces_the_password_and_ends_every_session(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    elsewhere, client = await portal.client(ada), await portal.client()
    assert (await submit(client, "/reset", "/reset", {"email": "ada@example.com"})).status_code == 303
    link = urlsplit(await portal.link("ada@example.com")).path
    short = await submit(client, link, link, {"password": "short"})
    assert short.status_code == 422
    assert (await submit(client, link, link, {"password": "another password altogether"})).status_code == 303
    assert (await client.get("/account")).status_code == 200
    assert (await elsewhere.get("/account")).status_code == 303
    assert (await client.get(link)).status_code == 404


async def test_a_reset_of_an_unknown_address_looks_the_same(portal: Portal) -> None:
    client = await portal.client()
    assert (await submit(client, "/reset", "/reset", {"email": "nobody@example.com"})).status_code == 303
    assert "nobody@example.com" in (await client.get("/check-mail")).text
    assert (await portal.letters("nobody@example.com"))[0].kind == "no_account"


async def test_the_account_lists_browsers_and_ends_them(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    phone = await portal.sign_in(
        "ada@example.com", client=Client("203.0.113.9", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Safari/605.1")
    )
    client, second = await portal.client(ada), await portal.client(phone)
    page = await client.get("/account/security")
    assert "Safari on iPhone" in page.text
    assert "203.0.113.9" in page.text
    assert page.text.count("This browser") == 1
    answer = await submit(client, "/account/security", "/account/sessions/end-others")
    assert answer.status_code == 303
    assert "1 other browser signed out" in (await client.get("/account/security")).text
    assert (await second.get("/account")).status_code == 303


async def test_another_accounts_session_cannot_be_ended(portal: Portal) -> None:
    ada, grace = await portal.account("ada@example.com"), await portal.account("grace@example.com")
    client = await portal.client(ada)
    token = (await client.get("/account")).text.partition('name="csrf" value="')[2][:64]
    path = f"/account/sessions/{format_id('ses', grace.session.session_id)}/end"
    assert (await client.post(path, data={"csrf": token})).status_code == 404
    assert (await (await portal.client(grace)).get("/account")).status_code == 200


async def test_changing_the_password_needs_the_current_one_and_keeps_this_browser(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    client, elsewhere = await portal.client(ada), await portal.client(await portal.sign_in("ada@example.com"))
    wrong = await submit(
        client, "/account/security", "/account/password", {"current": "wrong wrong", "new": "a good new password"}
    )
    assert wrong.status_code == 422
    assert "This is not your current password." in wrong.text
    values = {"current": PASSWORD, "new": "a good new password"}
    assert (await submit(client, "/account/security", "/account/password", values)).status_code == 303
    assert (await client.get("/account")).status_code == 200
    assert (await elsewhere.get("/account")).status_code == 303
