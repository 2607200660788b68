"""How pages behave in a browser: by keyboard, without scripts, on a slow line, and when one goes back."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from control_plane.members.scope import Member
from tests.portal.conftest import Tab
from tests.portal.harness import PASSWORD, Portal, Somebody


async def owner(portal: Portal, address: Callable[[], str], apps: int = 1) -> tuple[Somebody, Member]:
    """Somebody with an organization of some apps."""
    ada = await portal.account(address())
    member = await portal.organization(ada)
    for index in range(apps):
        await portal.app_of(member, f"App {index + 1}")
    return ada, member


async def slow_down(page: Page, path: str, seconds: float, seen: list[str] | None = None) -> None:
    """Let requests to that path wait on their way."""

    async def wait(route: Route) -> None:
        if seen is not None:
            seen.append(route.request.method)
        await asyncio.sleep(seconds)
        await route.continue_()

    await page.route(f"**{path}", wait)


async def test_one_signs_in_without_a_mouse(shared_portal: Portal, tab: Tab, address: Callable[[], str]) -> None:
    ada, _ = await owner(shared_portal, address)
    page = await tab()
    await page.goto("/sign-in")
    await page.keyboard.type(ada.person.email)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Forgot it?")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Apps")).to_be_visible()


async def test_one_gets_around_without_a_mouse(shared_portal: Portal, tab: Tab, address: Callable[[], str]) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada)
    await page.goto(f"/organizations/{member.public_organization_id}")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Tab")
    switcher = page.locator(".side summary").first
    await expect(switcher).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="New organization")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="New organization")).to_be_hidden()
    await expect(switcher).to_be_focused()
    await page.get_by_role("link", name="Members").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Members")).to_be_visible()
    await expect(page.locator("main")).to_be_focused()


async def test_without_scripts_one_signs_up_in_and_works(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    email = address()
    page = await tab(javascript=False)
    await page.goto("/sign-up")
    await expect(page.get_by_role("button", name="Show password")).to_be_hidden()
    await page.fill("[name=name]", "Ada Lovelace")
    await page.fill("[name=email]", email)
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Sign up").click()
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    await page.goto(await shared_portal.link(email))
    await page.get_by_role("button", name="Confirm address").click()
    await page.get_by_role("button", name="Create app").click()
    await expect(page.get_by_text("Enter a name for your app.")).to_be_visible()
    await page.fill("[name=organization]", "Analytical Engines")
    await page.fill("[name=app]", "Support chat")
    await page.get_by_role("button", name="Create app").click()
    await page.goto("/")
    await page.get_by_role("link", name="Audit log").click()
    await page.select_option("[name=action]", "app.created")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.locator(".side .nav-foot summary").click()
    await page.get_by_role("button", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.locator(".side .nav-foot summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_sheet_of_small_screens_opens_without_scripts(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada, javascript=False, width=390)
    await page.goto(f"/organizations/{member.public_organization_id}")
    link = page.get_by_role("link", name="Members")
    await expect(link).to_be_hidden()
    await page.locator(".bar summary").first.click()
    await link.click()
    await expect(page.get_by_role("heading", name="Members")).to_be_visible()
    await expect(link).to_be_hidden()


@pytest.mark.parametrize("boosted", [True, False])
async def test_a_form_is_sent_once(shared_portal: Portal, tab: Tab, address: Callable[[], str], boosted: bool) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada)
    path = f"/organizations/{member.public_organization_id}/settings"
    sent: list[str] = []
    await page.goto(path)
    if not boosted:
        await page.evaluate("document.querySelector('main form').setAttribute('hx-boost', 'false')")
        await page.evaluate("htmx.process(document.body)")
    await slow_down(page, "/settings", 0.5, sent)
    await page.fill("[name=organization]", "Difference Engines")
    button = page.get_by_role("button", name="Save name")
    off = await button.evaluate("button => { [1, 2, 3].forEach(() => button.click()); return button.ariaDisabled; }")
    assert off == "true"
    await expect(page.get_by_text("The name is saved.")).to_be_visible()
    assert sent.count("POST") == 1
    await page.fill("[name=organization]", "Engines")
    await button.click()
    await expect(page.locator(".switcher b").first).to_have_text("Engines")
    assert sent.count("POST") == 2, "the form works again once it is answered"


async def test_a_failed_form_keeps_its_page_and_shows_where(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada)
    path = f"/organizations/{member.public_organization_id}"
    await page.goto(path)
    await page.locator("main").get_by_role("link", name="New app").click()
    await page.get_by_role("button", name="Create app").click()
    field = page.locator("[name=app]")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_be_focused()
    await expect(field).to_have_accessible_description(
        "Enter a name. For you and your members. You can change it later."
    )
    await page.go_back()
    await expect(page.get_by_role("heading", name="Apps")).to_be_visible()
    assert page.url.endswith(path), "one step back leads out of the form"


async def test_back_and_reload_show_the_pages_of_their_addresses(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada)
    await page.goto(f"/organizations/{member.public_organization_id}")
    for name in ("Members", "Audit log", "Organization settings"):
        await page.get_by_role("link", name=name).click()
        await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    await expect(page).to_have_title("Organization settings · Natter")
    await page.go_back()
    await expect(page.get_by_role("heading", name="Audit log", level=1)).to_be_visible()
    await expect(page).to_have_title("Audit log · Natter")
    await page.go_back()
    await expect(page.get_by_role("heading", name="Members", level=1)).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Members", level=1)).to_be_visible()
    await page.go_forward()
    await expect(page.get_by_role("heading", name="Audit log", level=1)).to_be_visible()


async def test_a_filter_is_part_of_the_address_and_keeps_the_focus(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    ada, member = await owner(shared_portal, address, apps=10)
    page = await tab(ada)
    await page.goto(f"/organizations/{member.public_organization_id}")
    search = page.get_by_placeholder("Search apps")
    await search.press_sequentially("App 10")
    await expect(page.locator("#apps tbody tr")).to_have_count(1)
    await expect(search).to_be_focused()
    await expect(search).to_have_value("App 10")
    assert page.url.endswith("?search=App%2010")
    await page.reload()
    await expect(page.locator("#apps tbody tr")).to_have_count(1)
    await page.go_back()
    await expect(page.locator("#apps tbody tr")).to_have_count(10)


async def test_signed_out_back_shows_nothing(shared_portal: Portal, tab: Tab, address: Callable[[], str]) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada)
    await page.goto(f"/organizations/{member.public_organization_id}")
    await page.locator(".side .nav-foot summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_only_slow_requests_show_that_they_run(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada)
    await page.goto(f"/organizations/{member.public_organization_id}")
    seen = "getComputedStyle(document.getElementById('progress')).visibility"
    await slow_down(page, "/members", 0.6)
    assert await page.evaluate(seen) == "hidden"
    await page.get_by_role("link", name="Members").click(no_wait_after=True)
    async with asyncio.timeout(5):
        while await page.evaluate(seen) == "hidden":
            await asyncio.sleep(0.02)
    # How long that took is the page's own matter: a busy machine would hold up any clock of ours.
    assert await page.evaluate("getComputedStyle(document.getElementById('progress')).animationDelay") == "0.15s"
    await expect(page.get_by_role("heading", name="Members")).to_be_visible()
    assert await page.evaluate(seen) == "hidden"


async def test_a_lost_connection_is_told_and_the_page_stays(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada)
    await page.goto(f"/organizations/{member.public_organization_id}/settings")
    await page.fill("[name=organization]", "Typed by hand")
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Save name").click()
    await expect(page.get_by_role("alert")).to_contain_text("Natter cannot be reached.")
    await expect(page.locator("[name=organization]")).to_have_value("Typed by hand")
    await page.context.set_offline(False)
    await page.get_by_role("button", name="Save name").click()
    await expect(page.get_by_text("The name is saved.")).to_be_visible()


async def test_an_ended_session_leads_to_the_door_and_back(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada)
    path = f"/organizations/{member.public_organization_id}/settings"
    await page.goto(path)
    await shared_portal.sql("delete from control.sessions where account_id = $1", ada.person.account_id)
    await page.fill("[name=organization]", "Lost")
    await page.get_by_role("button", name="Save name").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.fill("[name=email]", ada.person.email)
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Organization settings")).to_be_visible()
    assert page.url.endswith(path)


async def test_the_theme_changes_at_once_and_stays(shared_portal: Portal, tab: Tab, address: Callable[[], str]) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada, color_scheme="light")
    await page.goto(f"/organizations/{member.public_organization_id}")

    async def background() -> Any:
        return await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    light = await background()
    await page.locator(".side .nav-foot summary").click()
    async with page.expect_response("**/theme"):
        await page.get_by_role("button", name="Dark").click()
    dark = await background()
    assert dark != light
    await page.reload()
    assert await background() == dark
    await page.locator(".side .nav-foot summary").click()
    async with page.expect_response("**/theme"):
        await page.get_by_role("button", name="As this device").click()
    assert await background() == light
    await page.emulate_media(color_scheme="dark")
    assert await background() == dark


async def test_a_password_is_shown_on_demand(shared_portal: Portal, tab: Tab) -> None:
    page = await tab()
    await page.goto("/sign-in")
    await page.fill("[name=password]", "secret")
    await page.get_by_role("button", name="Show password").click()
    await expect(page.locator("[name=password]")).to_have_attribute("type", "text")
    await page.get_by_role("button", name="Hide password").click()
    await expect(page.locator("[name=password]")).to_have_attribute("type", "password")


async def test_an_id_is_copied(shared_portal: Portal, tab: Tab, address: Callable[[], str]) -> None:
    ada, member = await owner(shared_portal, address)
    page = await tab(ada, permissions=["clipboard-read", "clipboard-write"])
    await page.goto(f"/organizations/{member.public_organization_id}/settings")
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == member.public_organization_id
