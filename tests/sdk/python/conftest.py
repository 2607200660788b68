"""A node that the SDK talks to, an app on it, and both clients of that app under one spelling."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kernel.gcra import rate
from natter import AsyncNatter, Natter
from tests.clients.conftest import WIDE
from tests.clients.installation import Installation, Tenant
from tests.engines import Engines


@pytest.fixture(scope="session")
async def installation(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Installation]:
    """One node on a fresh database."""
    database = await engines.fresh_database("chat")
    installation = Installation(database.url, engines.redis_url)
    await (await installation.tenant()).close()  # nodes without a control plane start from the shard's copies
    running = await installation.start_node(free_ports(1)[0])
    # All of these tests come from one address at full speed; `tests/data_plane/limits` is where limits are tried.
    rates = running.node.limiter.address_rates
    rates.update(dict.fromkeys(rates, rate(100_000, 100_000)))
    yield installation
    await installation.stop()
    await engines.drop_database(database)


@pytest.fixture
async def tenant(installation: Installation) -> AsyncIterator[Tenant]:
    """One app, which lets guests and anonymous visitors in."""
    tenant = await installation.tenant(guests=True, anonymous=True, limits=WIDE)
    yield tenant
    await tenant.close()


@pytest.fixture
def url(installation: Installation) -> str:
    """The node's address."""
    return installation.nodes[0].url


@pytest.fixture
async def natter(tenant: Tenant, url: str) -> AsyncIterator[AsyncNatter]:
    """The client that is awaited."""
    async with AsyncNatter(tenant.secret_key, url=url) as client:
        yield client


class Awaited:
    """A blocking client, or a part of it, that is awaited: its calls run in a thread, beside the node's loop."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._of, name)
        if name in ("for_user", "with_token", "with_options"):
            return lambda *args, **named: Awaited(found(*args, **named))
        if not callable(found):
            return Awaited(found)
        if name.startswith("iter"):
            return lambda *args, **named: _each(found(*args, **named))
        return lambda *args, **named: asyncio.to_thread(found, *args, **named)


async def _each(items: Any) -> AsyncIterator[Any]:
    for item in await asyncio.to_thread(list, items):
        yield item


@pytest.fixture(params=["sync", "async"])
async def either(request: pytest.FixtureRequest, tenant: Tenant, url: str) -> AsyncIterator[Any]:
    """Each of the two clients in turn, to be awaited."""
    if request.param == "sync":
        with Natter(tenant.secret_key, url=url) as blocking:
            yield Awaited(blocking)
    else:
        async with AsyncNatter(tenant.secret_key, url=url) as awaited:
            yield awaited
