"""Organizations, their apps and their settings."""

import asyncio
import re

import pytest

from kernel.ids import Ids
from tests.portal.apps.forms import forms_of, submit
from tests.portal.harness import Portal


async def test_the_start_leads_to_the_organization_of_the_last_visit(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    first, second = await portal.organization(ada, "Alpha"), await portal.organization(ada, "Beta")
    client = await portal.client(ada)
    assert (await client.get("/")).headers["location"].endswith(first.public_organization_id)
    await client.get(f"/organizations/{second.public_organization_id}")
    assert (await client.get("/")).headers["location"].endswith(second.public_organization_id)


async def test_the_list_of_apps_shows_what_each_used_this_month(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    member = await portal.organization(ada)
    made = [await portal.app_of(member, name) for name in ("Support chat", "Marketplace")]
    now = portal.deps.clock.now().replace(minute=0, second=0, microsecond=0)
    for app, quantity in zip(made, (12_000, 345), strict=True):
        await portal.sql(
            "insert into control.usage_hourly (app_id, meter, hour, quantity) values ($1, 'messages', $2, $3)",
            app.app.id,
            now,
            quantity,
        )
    page = await (await portal.client(ada)).get(f"/organizations/{member.public_organization_id}")
    for text in ("Support chat", "12,000", "Marketplace", "345", "12,345"):
        assert text in page.text


async def test_many_apps_are_paged_and_searched(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    member = await portal.organization(ada)
    for index in range(25):
        await portal.app_of(member, f"App {index:02}")
    client, base = await portal.client(ada), f"/organizations/{member.public_organization_id}"
    first = (await client.get(base)).text
    assert "App 24" in first
    rows = first.partition('id="apps"')[2]
    assert "App 04" not in rows
    path = rows.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = (await client.get(path)).text.partition('id="apps"')[2]
    assert "App 04" in second
    assert "App 24" not in second
    found = (await client.get(f"{base}?search=p 1")).text.partition('id="apps"')[2]
    assert [f"App {index:02}" in found for index in (9, 10, 19, 20)] == [False, True, True, False]
    nothing = await client.get(f"{base}?search=%25")
    assert "No app by that name" in nothing.text


async def test_a_form_sent_twice_makes_one_app_and_shows_its_secret_once(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    member = await portal.organization(ada)
    client, path = await portal.client(ada), f"/organizations/{member.public_organization_id}/apps/new"
    form = next(form for form in forms_of((await client.get(path)).text) if form.action == path)
    values = {**form.values, "app": "Support chat"}
    answers = await asyncio.gather(*(client.post(path, data=values) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    rows = await portal.sql("select count(*) as n from control.apps")
    assert rows[0]["n"] == 1
    secrets = [answer for answer in answers if re.search("sk_[0-9a-z]{39}", answer.text)]
    assert len(secrets) == 1, "only the one that made it knows the key"
    assert all(answer.headers["hx-push-url"].endswith("/quickstart") for answer in answers)


async def test_a_form_sent_twice_makes_one_organization(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    client = await portal.client(ada)
    form = next(
        form for form in forms_of((await client.get("/organizations/new")).text) if form.action == "/organizations/new"
    )
    values = {**form.values, "organization": "Analytical Engines"}
    answers = await asyncio.gather(*(client.post("/organizations/new", data=values) for _ in range(3)))
    assert {answer.headers.get("location") for answer in answers} == {answers[0].headers["location"]}
    assert len(await portal.sql("select 1 from control.organizations")) == 1


@pytest.mark.parametrize("new_id", ["", "x", "0" * 26, f"{'0' * 26}.{'0' * 64}"])
async def test_an_id_that_the_portal_did_not_give_creates_nothing(portal: Portal, new_id: str) -> None:
    client = await portal.client(await portal.account("ada@example.com"))
    answer = await submit(client, "/organizations/new", "/organizations/new", {"organization": "X", "new_id": new_id})
    assert answer.status_code == 422
    assert await portal.sql("select 1 from control.organizations") == []


async def test_an_id_given_to_another_browser_creates_nothing(portal: Portal) -> None:
    ada, grace = await portal.account("ada@example.com"), await portal.account("grace@example.com")
    client, other = await portal.client(ada), await portal.client(grace)
    forms = forms_of((await other.get("/organizations/new")).text)
    stolen = next(form for form in forms if form.action == "/organizations/new").values["new_id"]
    values = {"organization": "X", "new_id": stolen}
    assert (await submit(client, "/organizations/new", "/organizations/new", values)).status_code == 422


async def test_what_the_role_does_not_allow_says_who_can(portal: Portal) -> None:
    ada, vera = await portal.account("ada@example.com"), await portal.account("vera@example.com", "Vera")
    member = await portal.organization(ada)
    await portal.join(member, vera, "viewer")
    client, base = await portal.client(vera), f"/organizations/{member.public_organization_id}"
    for path in (f"{base}/audit", f"{base}/apps/new", f"{base}/members/invite"):
        answer = await client.get(path)
        assert answer.status_code == 403, path
        assert "An owner or admin of Analytical Engines can give you a role that may." in answer.text
        assert answer.headers["x-request-id"] in answer.text
        assert "nav-item" in answer.text, "the navigation stays"
    assert "New app" not in (await client.get(base)).text


async def test_another_organization_looks_like_none(portal: Portal) -> None:
    ada, eve = await portal.account("ada@example.com"), await portal.account("eve@example.com")
    member = await portal.organization(ada)
    made = await portal.app_of(member)
    client = await portal.client(eve)
    nothing = Ids()
    pairs = [
        (f"/organizations/{member.public_organization_id}{rest}", f"/organizations/{nothing.new('org')}{rest}")
        for rest in ("", "/members", "/audit", "/settings", "/apps/new", "/leave", "/members/invite")
    ]
    pairs.append((f"/apps/{made.app.public_id}", f"/apps/{nothing.new('app')}"))
    for foreign, unknown in pairs:
        answers = [await client.get(path, headers={"x-request-id": "same"}) for path in (foreign, unknown, "/nothing")]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].content == answers[1].content, foreign
        assert [name for name, _ in answers[0].headers.items()] == [name for name, _ in answers[1].headers.items()]


async def test_an_organization_is_renamed(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    member = await portal.organization(ada)
    client, path = await portal.client(ada), f"/organizations/{member.public_organization_id}/settings"
    assert (await submit(client, path, path, {"organization": "Difference Engines"})).status_code == 303
    page = (await client.get(path)).text
    assert "Difference Engines" in page
    assert "The name is saved." in page
    assert "The name is saved." not in (await client.get(path)).text, "a word is said once"
