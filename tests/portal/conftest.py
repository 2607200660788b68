"""Fixtures of the portal's tests: the real application on a socket, and a real browser.

`portal`         a portal of the test's own: fresh database, server on a free port, a clock that the test moves
                 (`portal.clock.advance(…)`). See `tests/portal/harness.py` for what it can do.
`shared_portal`  one for the whole run, for tests that mind nobody else's rows: use addresses and names of your own.
`browser`        one Chromium for the whole run.
`tab`            factory: `page = await tab(somebody, javascript=True, width=1280)`, a page of a context of its own at
                 `shared_portal`; dialogs, errors of scripts and violations of the content policy fail the test.
"""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.engines import Engines
from tests.portal.browser import Watch, chromium, sign_in
from tests.portal.harness import Portal, Somebody, portal_deps, serve

Tab = Callable[..., Awaitable[Page]]
_count = itertools.count(1)


@pytest.fixture
async def portal(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Portal]:
    database = await engines.fresh_database("control")
    async with serve(portal_deps(database.url, free_ports(1)[0]), database.superuser_url) as portal:
        yield portal
    await engines.drop_database(database)


@pytest.fixture(scope="session")
async def shared_portal(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Portal]:
    database = await engines.fresh_database("control")
    async with serve(portal_deps(database.url, free_ports(1)[0]), database.superuser_url) as portal:
        yield portal
    await engines.drop_database(database)


@pytest.fixture
def address() -> Callable[[], str]:
    """A fresh e-mail address."""
    return lambda: f"somebody{next(_count)}@example.com"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def tab(browser: Browser, shared_portal: Portal) -> AsyncIterator[Tab]:
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    async def open_tab(somebody: Somebody | None = None, *, javascript: bool = True, **options: Any) -> Page:
        context = await browser.new_context(
            base_url=shared_portal.url,
            java_script_enabled=javascript,
            viewport={"width": options.pop("width", 1280), "height": 800},
            **options,
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        if somebody is not None:
            await sign_in(context, shared_portal, somebody)
        page = await context.new_page()
        watches.append(Watch(page))
        return page

    yield open_tab
    for context in contexts:
        await context.close()
    for watch in watches:
        watch.check()
