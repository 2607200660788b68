"""Fixtures of the portal's tests: the real application on a socket, and a real browser.

`portal`         a portal for the test alone: nothing in its database, a server on a port of its own, a clock that the
                 test moves (`portal.clock.advance(…)`). See `tests/portal/harness.py` for what it can do.
`own_portal`     the same, and the application too is the test's own, to change as it likes.
`shared_portal`  one for the whole run, for tests that mind nobody else's rows: use addresses and names of your own.
`browser`        one Chromium for the whole run.
`tab`            factory: `page = await tab(somebody, javascript=True, width=1280)`, a page of a context of its own at
                 `shared_portal`; dialogs, errors of scripts and violations of the content policy fail the test.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.emptied import Emptied
from tests.engines import Engines
from tests.portal.browser import Watch, chromium, sign_in
from tests.portal.harness import Portal, Somebody, portal_deps, serve

Tab = Callable[..., Awaitable[Page]]
_count = itertools.count(1)


class Stand:
    """A served portal that is lent to one test after the other: to build the application takes longer than most of
    these tests."""

    def __init__(self, engines: Engines, port: int) -> None:
        self._engines = engines
        self._port = port
        self._there: tuple[Emptied, Portal] | None = None
        self._end = contextlib.AsyncExitStack()

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[Portal]:
        """It, with nothing in its database, until the block ends."""
        database, portal = self._there = self._there or await self._open()
        try:
            yield portal
        finally:
            await portal.close()
            if not await database.empty():
                await self.close()

    async def close(self) -> None:
        self._there = None
        await self._end.aclose()

    async def _open(self) -> tuple[Emptied, Portal]:
        database = await Emptied.make(self._engines)
        self._end.push_async_callback(database.close, self._engines)
        deps = portal_deps(database.handle.url, self._port)
        deps = replace(deps, database=database.control, portal_database=database.portal)
        return database, await self._end.enter_async_context(serve(deps, database.handle.superuser_url))


@pytest.fixture(scope="session")
async def stand(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Stand]:
    stand = Stand(engines, free_ports(1)[0])
    yield stand
    await stand.close()


@pytest.fixture
async def portal(stand: Stand) -> AsyncIterator[Portal]:
    async with stand.lent() as portal:
        yield portal


@pytest.fixture
async def own_portal(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Portal]:
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
