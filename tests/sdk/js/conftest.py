"""The SDK in Node.js, against the nodes of the folder above."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext

from tests.clients import node_packages
from tests.clients.driver import Driver
from tests.clients.installation import Installation, Tenant
from tests.clients.line import Line
from tests.portal.browser import chromium
from tests.sdk.js.browser import SdkPage, serving
from tests.sdk.js.clients import SdkClient, start_driver
from tests.sdk.js.package import SDK, built

OpenClient = Callable[..., Awaitable[SdkClient]]
OpenPage = Callable[..., Awaitable[SdkPage]]
NewLine = Callable[..., Awaitable[Line]]


@pytest.fixture(scope="session")
async def driver() -> AsyncIterator[Driver]:
    """The Node.js process."""
    driver = await start_driver()
    yield driver
    await driver.stop()


@pytest.fixture
async def open_client(driver: Driver, tenant: Tenant, urls: list[str]) -> AsyncIterator[OpenClient]:
    """`await open_client(user, url=…)`: a client that knows its state."""
    clients: list[SdkClient] = []

    async def open_client(user: str, url: str = "", **options: Any) -> SdkClient:
        client = SdkClient(driver, tenant, user)
        clients.append(client)
        return await client.open(url or urls[0], **options)

    yield open_client
    await asyncio.gather(*(client.ask("close") for client in clients))


@pytest.fixture
async def new_line(sdk_nodes: Installation, free_ports: Callable[[int], list[int]]) -> AsyncIterator[NewLine]:
    """Make lines to a node, which can be cut."""
    made: list[Line] = []

    async def make(node: int = 0) -> Line:
        made.append(await Line(sdk_nodes.nodes[node].port).start(free_ports(1)[0]))
        return made[-1]

    yield make
    for line in made:
        await line.stop()


@pytest.fixture(scope="session")
async def sdk_browser() -> AsyncIterator[Browser]:
    """One browser."""
    await asyncio.to_thread(built)
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def origin(free_ports: Callable[[int], list[int]]) -> Iterator[str]:
    """Where the page is served."""
    with serving(free_ports(1)[0]) as origin:
        yield origin


@pytest.fixture
async def device(sdk_browser: Browser) -> AsyncIterator[BrowserContext]:
    """A user's browser, with nothing kept in it."""
    context = await sdk_browser.new_context()
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@pytest.fixture
def open_page(device: BrowserContext, origin: str, tenant: Tenant, urls: list[str]) -> OpenPage:
    """`await open_page(user, url=…)`: a tab of the browser, in which nothing has begun."""

    async def open_page(user: str, url: str = "") -> SdkPage:
        return SdkPage(await device.new_page(), origin, tenant, user, url or urls[0])

    return open_page


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project into which the packed package was installed, as npm would from the registry."""
    built()
    folder = tmp_path_factory.mktemp("project")

    def npm(*command: str, cwd: Path) -> str:
        every = [node_packages.NODE, node_packages.NPM, *command, "--ignore-scripts", "--loglevel=error"]
        env = node_packages.environment()
        return subprocess.run(every, cwd=cwd, env=env, check=True, capture_output=True, text=True).stdout

    packed = json.loads(npm("pack", "--json", f"--pack-destination={folder}", cwd=SDK))
    (folder / "package.json").write_text('{"private": true}')
    (name,) = [entry["filename"] for entry in (packed if isinstance(packed, list) else packed.values())]
    npm("install", "--prefer-offline", "--no-fund", "--no-audit", f"./{name}", cwd=folder)
    return folder
