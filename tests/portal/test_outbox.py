"""The outbox is there for staff and the machine's owner, and for nobody else."""

from urllib.parse import urlsplit

import httpx
from playwright.async_api import expect

from control_plane.accounts.local import create_outbox_link
from control_plane.context import Actor
from tests.portal.apps.forms import submit
from tests.portal.conftest import Tab
from tests.portal.harness import Portal


async def outbox_link(portal: Portal) -> str:
    async with portal.deps.change(Actor("operator:test")) as ctx:
        return urlsplit(await create_outbox_link(ctx)).path


async def first_mail(client: httpx.AsyncClient) -> str:
    page = (await client.get("/outbox")).text
    return "/outbox/mail_" + page.partition("/outbox/mail_")[2].partition('"')[0]


async def test_everybody_else_finds_nothing(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    staff = await portal.client(await portal.account("staff@example.com", "Staff", staff=True))
    mail = await first_mail(staff)
    for client in (await portal.client(), await portal.client(ada), await portal.client(natter_owner="guess")):
        nothing = await client.get("/nothing", headers={"x-request-id": "same"})
        for path in ("/outbox", mail, f"{mail}/body"):
            answer = await client.get(path, headers={"x-request-id": "same"})
            assert answer.status_code == 404
            assert answer.content == nothing.content
    assert "Outbox" not in (await (await portal.client(ada)).get("/account")).text


async def test_an_accounts_token_is_no_owners(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    client = await portal.client(natter_owner=ada.session.token)
    assert (await client.get("/outbox")).status_code == 404


async def test_the_owners_link_opens_it_once_and_nothing_else(portal: Portal) -> None:
    link = await outbox_link(portal)
    client, scanner = await portal.client(), await portal.client()
    assert (await scanner.get(link)).status_code == 200, "looking does not use it up"
    assert (await submit(client, link, link)).headers["location"] == "/outbox"
    assert (await client.get("/outbox")).status_code == 200
    assert (await client.get("/account")).status_code == 303
    assert (await client.get(link)).status_code == 404
    session = client.cookies["natter_owner"]
    assert (await (await portal.client(natter_session=session)).get("/account")).status_code == 303


async def test_a_mail_runs_nothing_and_loads_nothing(portal: Portal) -> None:
    client = await portal.client(await portal.account("staff@example.com", "Staff", staff=True))
    mail = await first_mail(client)
    page, body = await client.get(mail), await client.get(f"{mail}/body")
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    policy = body.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-top-navigation-by-user-activation; default-src 'none'")
    assert "script" not in policy
    assert "frame-ancestors 'self'" in policy
    text = (await client.get(f"{mail}?form=text")).text
    assert "<iframe" not in text
    assert "/verify/" in text


async def test_the_link_in_a_mail_leads_to_its_page(shared_portal: Portal, tab: Tab) -> None:
    page = await tab()
    await page.goto("/sign-up")
    await page.fill("[name=name]", "Ada Lovelace")
    await page.fill("[name=email]", "from-the-outbox@example.com")
    await page.fill("[name=password]", "correct horse battery staple")
    await page.click("main button:has-text('Sign up')")
    await page.goto(await outbox_link(shared_portal))
    await page.click("text=Open outbox")
    await page.get_by_role("row", name="from-the-outbox@example.com").get_by_role("link").click()
    await page.frame_locator("iframe").get_by_role("link", name="Confirm address").click()
    await expect(page.get_by_role("heading", name="Confirm your address")).to_be_visible()
    await page.click("main button:has-text('Confirm address')")
    await expect(page.get_by_role("heading", name="Welcome, Ada Lovelace")).to_be_visible()
