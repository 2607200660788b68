"""Several workers a node, several nodes behind a balancer without stickiness: any request may come to any process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from data_plane.gateway.peers.place import Place
from tests.clients.cluster import Cluster, RoundRobin
from tests.clients.conftest import KINDS, TRANSPORTS, each
from tests.clients.driver import Client, Driver
from tests.clients.installation import Tenant
from tests.clients.test_chat import texts
from tests.engines import Engines

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(180)]

Reach = Callable[..., Awaitable[Client]]


@pytest.fixture(scope="module")
async def cluster(
    engines: Engines, free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    """Two nodes of two workers each."""
    database = await engines.fresh_database("chat")
    cluster = Cluster(database.url, engines.redis_url, tmp_path_factory.mktemp("cluster"))
    cluster.shared_tenant = await cluster.tenant()  # type: ignore[attr-defined]
    for port in free_ports(2):
        cluster.add_node(port, workers=2)
    await cluster.start_all()
    cluster.shared_tenant.http.base_url = httpx.URL(cluster.processes[0].url)  # type: ignore[attr-defined]
    yield cluster
    await cluster.shared_tenant.close()  # type: ignore[attr-defined]
    await cluster.stop()
    await engines.drop_database(database)


@pytest.fixture
def tenant(cluster: Cluster) -> Tenant:
    return cluster.shared_tenant  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
async def balancer(cluster: Cluster, free_ports: Callable[[int], list[int]]) -> AsyncIterator[RoundRobin]:
    made = RoundRobin([node.port for node in cluster.processes])
    await made.start(free_ports(1)[0])
    yield made
    await made.stop()


@pytest.fixture
async def reach(drivers: dict[str, Driver], tenant: Tenant) -> AsyncIterator[Reach]:
    """`await reach(kind, user, url)`: a client that connects there."""

    async def reach(kind: str, user: str, url: str, **command: Any) -> Client:
        language, _, transport = kind.partition("-")
        command.setdefault("token", tenant.token(user))
        return await drivers[language].open(url, kind, options=TRANSPORTS[transport], **command)

    yield reach
    await asyncio.gather(*(driver.close_clients() for driver in drivers.values()))


async def chat(kind: str, user: str, url: str, reach: Reach, tenant: Tenant) -> None:
    """A client connects, upgrades if it is of that kind, is answered, and hears everything once and in order."""
    await tenant.channel(user, user, "bob")
    client = await reach(kind, user, url)
    await client.event("connection.ready")
    if kind == "javascript-default":
        assert (await client.signal("upgrade"))["transport"] == "websocket"
    for n in range(20):
        await client.send(user, f"m{n}")
        await tenant.post(f"/v1/channels/{user}/messages", text=f"s{n}", user_id="bob")
    await client.until(lambda: len(texts(client)) >= 40, "all messages")
    assert texts(client) == [f"{who}{n}" for n in range(20) for who in "ms"]
    assert len(client.seen("connect")) == 1, "it never had to connect again"


@pytest.mark.parametrize("kind", KINDS)
async def test_clients_of_all_kinds_chat_with_two_workers(
    kind: str, cluster: Cluster, reach: Reach, tenant: Tenant
) -> None:
    await asyncio.gather(*(chat(kind, f"w{n}-{kind}", cluster.processes[0].url, reach, tenant) for n in range(6)))


@pytest.mark.parametrize("kind", KINDS)
async def test_clients_of_all_kinds_chat_with_two_nodes_behind_a_balancer(
    kind: str, balancer: RoundRobin, reach: Reach, tenant: Tenant
) -> None:
    await asyncio.gather(*(chat(kind, f"b{n}-{kind}", balancer.url, reach, tenant) for n in range(6)))
