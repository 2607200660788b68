"""The SDK in Node.js, against the nodes of the folder above."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.clients.driver import Driver
from tests.clients.installation import Installation, Tenant
from tests.clients.line import Line
from tests.sdk.js.clients import SdkClient, start_driver

OpenClient = Callable[..., Awaitable[SdkClient]]
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
