"""Whatever somebody wrote is text on every page that shows it, and widens none, in a real browser."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.async_api import Page

from portal.http.page import TEMPLATES
from tests.portal.conftest import Tab
from tests.portal.harness import Portal
from tests.portal.pages import House, furnish, page_routes, path_of

PAYLOADS = (
    "\"'><img src=x onerror=alert(1)></title></textarea></script><svg onload=alert(1)>",
    "<script>alert(1)</script><b hx-get=/ hx-trigger=load>{{7*7}}</b>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><a href=javascript:alert(1)>x</a>",
    '\' autofocus onfocus=alert(1) x=\' " style="x" data-href="javascript:alert(1)',
)
"""Each fits into a name."""

PLANTED = """(document) => {
    const marks = "img[src=x], svg[onload], b[hx-get], iframe[srcdoc], script:not([src]), "
        + "a[href^='javascript:' i], [onfocus], [onerror], [style='x'], [data-href]";
    return [...document.querySelectorAll(marks)].map((element) => element.outerHTML);
}"""
"""Elements and attributes that only a payload can have made. The policy of the pages would keep them from running, so
that waiting for a dialog alone would prove little."""
READ = f"""async (path) => {{
    const answer = await fetch(path);
    return [answer.status, ({PLANTED})(new DOMParser().parseFromString(await answer.text(), "text/html"))];
}}"""
"""A page as this browser reads it, without what it loads and runs: a tenth of the time of opening it."""


async def planted(page: Page) -> list[str]:
    """What became of payloads on a page that is open and is no text."""
    found: list[str] = await page.evaluate(f"({PLANTED})(document)")
    return found


WIDEN = """([start, wide]) => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let widened = 0;
    while (walker.nextNode()) {
        const at = walker.currentNode.data.indexOf(start);
        if (at >= 0) {
            walker.currentNode.data = walker.currentNode.data.slice(0, at) + wide;
            widened += 1;
        }
    }
    return widened;
}"""
"""Puts a word that no line can hold wherever a payload stands as text, and counts the places."""
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
WIDTHS = (1280, 390)
"""Of a window on a desk and of a phone."""
SHOWING = ("/organizations/{organization_id}", "/organizations/{organization_id}/members", "/account/security")
"""Pages that must show what was written."""


async def injected(page: Page, house: House, routes: list[str], *, opened: bool) -> list[str]:
    """The same of every page: as it is when opened, with what its scripts made of it, or as the browser reads it."""
    found: list[str] = []
    for route in routes:
        path = path_of(route, house)
        if opened:
            answer = await page.goto(path)
            assert answer is not None
            status, elements = answer.status, await planted(page)
        else:
            status, elements = await page.evaluate(READ, path)
        assert status == 200, (route, status)
        found += [f"{route}: {element}" for element in elements]
    return found


async def too_wide(page: Page) -> list[int]:
    """At which widths of the window a page scrolls sideways. The window keeps the last, for the next page."""
    assert page.viewport_size is not None
    found = []
    for width in sorted(WIDTHS, key=lambda width: width != page.viewport_size["width"]):  # type: ignore[index]
        if width != page.viewport_size["width"]:
            await page.set_viewport_size({"width": width, "height": 800})
        if await page.evaluate(TOO_WIDE):
            found.append(width)
    return found


async def test_on_no_page_what_was_written_becomes_an_element_or_scrolls_sideways(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    """One way through all pages for both, because to open them is what takes time."""
    words = PAYLOADS[0]
    house = await furnish(shared_portal, address, words)
    page = await tab(house.owner)
    places = 0
    for route in sorted(page_routes(shared_portal.app)):
        assert await injected(page, house, [route], opened=True) == []
        if route in SHOWING:
            assert words[:20] in (await page.locator("body").inner_text()), f"{route} shows what was written"
        if route != "/outbox/{mail_id}/body":  # a mail's own document scrolls inside its frame
            places += await page.evaluate(WIDEN, [words[:20], "W" * 100])
            assert await too_wide(page) == [], route
    assert places > 50
    await page.goto(path_of(SHOWING[1], house))
    await page.evaluate(WIDEN, [words[:20], "W" * 100])
    await page.evaluate(
        """() => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync("* { overflow: visible !important; overflow-wrap: normal !important; }");
            document.adoptedStyleSheets.push(sheet);
        }"""
    )
    assert sorted(await too_wide(page), reverse=True) == [*WIDTHS], "what does not wrap is found"


@pytest.mark.parametrize("words", PAYLOADS[1:])
async def test_what_was_written_stays_text(
    shared_portal: Portal, tab: Tab, address: Callable[[], str], words: str
) -> None:
    house = await furnish(shared_portal, address, words)
    # What is only read is judged by the reader's policy, and not by its own: a mail's styles would break it.
    page = await tab(house.owner, bypass_csp=True)
    await page.goto("/account")
    assert await injected(page, house, sorted(page_routes(shared_portal.app)), opened=False) == []
    for route in SHOWING:
        await page.goto(path_of(route, house))
        assert words[:20] in (await page.locator("body").inner_text()), f"{route} shows what was written"


@pytest.mark.parametrize("words", PAYLOADS)
async def test_what_stands_in_an_address_stays_text(
    shared_portal: Portal, tab: Tab, address: Callable[[], str], words: str
) -> None:
    house = await furnish(shared_portal, address, "Analytical Engines")
    visitor, member = await tab(), await tab(house.owner)
    text, base = quote(words), f"/organizations/{house.organization_id}"
    for page, path in (
        (visitor, f"/sign-in?next={text}"),
        (visitor, f"/sign-up?next=/{text}"),
        (visitor, f"/verify/{quote(words, safe='')}"),
        (visitor, f"/{text}"),
        (member, f"{base}?search={text}"),
        (member, f"{base}/members?search={text}"),
        (member, f"{base}/audit?actor={text}&action={text}"),
        (member, f"{base}/audit?app={text}"),
        (member, f"{base}?cursor={text}"),
        (member, f"/outbox/{house.mail_id}?form={text}"),
    ):
        await page.goto(path)
        assert await planted(page) == [], path


async def test_what_is_typed_stays_text_when_the_form_comes_back(
    shared_portal: Portal, tab: Tab, address: Callable[[], str]
) -> None:
    house = await furnish(shared_portal, address, "Analytical Engines")
    page = await tab(house.owner)
    await page.goto("/organizations/new")
    await page.fill("[name=organization]", PAYLOADS[0] * 2)
    await page.click("text=Create organization")
    await page.wait_for_selector("[aria-invalid=true]")
    assert await page.input_value("[name=organization]") == PAYLOADS[0] * 2
    assert await planted(page) == []
    await page.fill("[name=organization]", PAYLOADS[1])
    await page.click("text=Create organization")
    await page.wait_for_selector(".toast")
    assert PAYLOADS[1] in await page.inner_text(".toast")
    assert await planted(page) == []


async def test_a_page_that_does_not_escape_is_found(own_portal: Portal, tab: Tab, address: Callable[[], str]) -> None:
    house = await furnish(own_portal, address, PAYLOADS[0])
    own_portal.app.state[TEMPLATES] = own_portal.app.state[TEMPLATES].overlay(autoescape=False)
    page = await tab()
    # The page's own watch would fail the test for the very violations that are planted here.
    page = await (await page.context.browser.new_context(base_url=own_portal.url)).new_page()  # type: ignore[union-attr]
    await page.context.add_cookies(
        [{"name": name, "value": value, "url": own_portal.url} for name, value in house.owner.cookie.items()]
    )
    routes = ["/organizations/{organization_id}/members", "/account/security"]
    for opened in (True, False):
        found = await injected(page, house, routes, opened=opened)
        assert {line.partition(":")[0] for line in found} == {*routes}
    await page.context.close()
