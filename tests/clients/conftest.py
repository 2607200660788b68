"""Two nodes for the whole folder, and each official client on each of its transports."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.clients.driver import Client, Driver
from tests.clients.installation import Installation, Tenant
from tests.clients.line import Line
from tests.engines import Engines

TRANSPORTS: dict[str, dict[str, Any]] = {
    "default": {},
    "websocket": {"transports": ["websocket"]},
    "polling": {"transports": ["polling"]},
}
KINDS = [f"{language}-{transport}" for language in ("javascript", "python") for transport in TRANSPORTS]

Connect = Callable[..., Awaitable[Client]]


@pytest.fixture(scope="session")
async def installation(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Installation]:
    """Two nodes on a fresh database."""
    database = await engines.fresh_database("chat")
    installation = Installation(database.url, engines.redis_url)
    await (await installation.tenant()).close()  # nodes without a control plane start from the shard's copies
    for port in free_ports(2):
        await installation.start_node(port)
    yield installation
    await installation.stop()
    await engines.drop_database(database)


@pytest.fixture
async def tenant(installation: Installation) -> AsyncIterator[Tenant]:
    """One app."""
    tenant = await installation.tenant()
    yield tenant
    await tenant.close()


@pytest.fixture(scope="session")
async def drivers() -> AsyncIterator[dict[str, Driver]]:
    """The process of each language."""
    drivers = {name: await Driver.start(name) for name in ("javascript", "python")}
    yield drivers
    for driver in drivers.values():
        await driver.stop()


@pytest.fixture
async def connect(
    drivers: dict[str, Driver], installation: Installation, tenant: Tenant
) -> AsyncIterator[Connect]:
    """`await connect(kind, user, node=0, …)`: a client of this kind that is connecting as this user."""

    async def connect(kind: str, user: str = "alice", *, node: int = 0, **command: Any) -> Client:
        language, _, transport = kind.partition("-")
        options = {**TRANSPORTS[transport], **command.pop("options", {})}
        url = command.pop("url", installation.nodes[node].url)
        command.setdefault("token", tenant.token(user))
        return await drivers[language].open(url, kind, options=options, **command)

    yield connect
    for driver in drivers.values():
        await driver.close_clients()


@pytest.fixture
async def line(installation: Installation, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Line]:
    """A line to the first node."""
    line = await Line(installation.nodes[0].port).start(free_ports(1)[0])
    yield line
    await line.stop()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """An official client on one of its transports."""
    return str(request.param)
