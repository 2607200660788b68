"""Fixtures of pages that need a node that answers.

`house`      one installation for the run: nodes, worker, portal, and a developer with an organization.
`house_tab`  factory of browser pages at its portal, signed in; like `tab`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.portal.apps.house import House, open_house
from tests.portal.apps.rooms import Room, furnish
from tests.portal.browser import Watch, sign_in
from tests.portal.harness import Portal

HouseTab = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def house(free_ports: Callable[[int], list[int]]) -> AsyncIterator[House]:
    async with open_house(free_ports(1)[0]) as opened:
        yield opened


@pytest.fixture
async def house_tab(browser: Browser, house: House) -> AsyncIterator[HouseTab]:
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    async def open_tab(**options: Any) -> Page:
        size = {"width": options.pop("width", 1280), "height": 860}
        context = await browser.new_context(base_url=house.portal.url, viewport=size, **options)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        contexts.append(context)
        await sign_in(context, house.portal, house.owner)
        page = await context.new_page()
        watches.append(Watch(page))
        return page

    yield open_tab
    for context in contexts:
        await context.close()
    for watch in watches:
        watch.check()


@pytest.fixture
async def room(shared_portal: Portal, address: Callable[[], str]) -> Room:
    """A development app and its owner's browser, without a node."""
    return await furnish(shared_portal, address())
