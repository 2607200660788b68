"""Two nodes for the whole folder, and each official client on each of its transports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from kernel.contracts import RateLimit
from ops.nursery import BlockingNursery
from tests.clients.driver import Client, Driver
from tests.clients.installation import Installation, Tenant
from tests.clients.line import Line
from tests.engines import Engines

TRANSPORTS: dict[str, dict[str, Any]] = {
    "default": {},
    "websocket": {"transports": ["websocket"]},
    "polling": {"transports": ["polling"]},
}
WIDE = tuple(
    RateLimit(policy=policy, per_second=10_000, burst=20_000)
    for policy in ("messages.user", "messages.channel", "messages.app", "requests.user", "requests.app")
)
"""Clients are tried at full speed here; what limits do to them is told in `tests/data_plane/limits`."""
KINDS = [f"{language}-{transport}" for language in ("javascript", "python") for transport in TRANSPORTS]

Connect = Callable[..., Awaitable[Client]]
NewLine = Callable[..., Awaitable[Line]]


async def each(scenario: Callable[[str], Awaitable[None]], kinds: list[str] = KINDS) -> None:
    """Run a scenario that mostly waits with every kind of client at once."""
    outcomes = await asyncio.gather(*(scenario(kind) for kind in kinds), return_exceptions=True)
    failed = [f"{kind}: {outcome!r}" for kind, outcome in zip(kinds, outcomes, strict=True) if outcome is not None]
    assert not failed, "\n".join(failed)


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


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingNursery]:
    """What nodes in processes of their own are forked from."""
    nursery = BlockingNursery(tmp_path_factory.mktemp("nursery") / "log")
    yield nursery
    nursery.close()


@pytest.fixture
async def tenant(installation: Installation) -> AsyncIterator[Tenant]:
    """One app."""
    tenant = await installation.tenant(limits=WIDE)
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
async def connect(drivers: dict[str, Driver], installation: Installation, tenant: Tenant) -> AsyncIterator[Connect]:
    """`await connect(kind, user, node=0, …)`: a client of this kind that is connecting as this user."""

    async def connect(kind: str, user: str = "alice", *, node: int = 0, **command: Any) -> Client:
        language, _, transport = kind.partition("-")
        options = {**TRANSPORTS[transport], **command.pop("options", {})}
        url = command.pop("url", installation.nodes[node].url)
        command.setdefault("token", tenant.token(user))
        return await drivers[language].open(url, kind, options=options, **command)

    yield connect
    await asyncio.gather(*(driver.close_clients() for driver in drivers.values()))


@pytest.fixture
async def new_line(installation: Installation, free_ports: Callable[[int], list[int]]) -> AsyncIterator[NewLine]:
    """Make lines to a node, the first by default."""
    made: list[Line] = []

    async def make(node: int = 0, delay: float = 0) -> Line:
        made.append(await Line(installation.nodes[node].port, delay).start(free_ports(1)[0]))
        return made[-1]

    yield make
    for line in made:
        await line.stop()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """An official client on one of its transports."""
    return str(request.param)
