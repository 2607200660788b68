"""Several workers a node, several nodes behind a balancer without stickiness: any request may come to any process."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from data_plane.gateway.peers.place import Place, place_of
from kernel.contracts import Quota
from ops.nursery import BlockingNursery
from tests.clients.cluster import Cluster, RoundRobin
from tests.clients.conftest import KINDS, TRANSPORTS
from tests.clients.driver import Client, Driver
from tests.clients.installation import Tenant
from tests.clients.test_chat import texts
from tests.engines import Engines

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(180)]

Reach = Callable[..., Awaitable[Client]]


@pytest.fixture(scope="module")
async def cluster(
    engines: Engines,
    free_ports: Callable[[int], list[int]],
    nursery: BlockingNursery,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Cluster]:
    """Two nodes of two workers each."""
    database = await engines.fresh_database("chat")
    cluster = Cluster(database.url, engines.redis_url, tmp_path_factory.mktemp("cluster"), nursery)
    cluster.shared_tenant = await cluster.tenant()  # type: ignore[attr-defined]
    peak = Quota(meter="peak_connections", limit=6, used=0, exceeded=False, over="stop", period="2026-01")
    cluster.small_tenant = await cluster.tenant(quotas=(peak,))  # type: ignore[attr-defined]
    for port in free_ports(2):
        cluster.add_node(port, workers=2, user_connections=8)
    await cluster.start_all()
    cluster.shared_tenant.http.base_url = httpx.URL(cluster.processes[0].url)  # type: ignore[attr-defined]
    yield cluster
    for made in (cluster.shared_tenant, cluster.small_tenant):  # type: ignore[attr-defined]
        await made.close()
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
        if "token" not in command:
            command["token"] = tenant.token(user)
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


# -- one request at a time -------------------------------------------------------------------------------------------


class Poller:
    """A polling client by hand, each request over a connection of its own."""

    def __init__(self) -> None:
        self.http = httpx.AsyncClient(trust_env=False, timeout=10, headers={"connection": "close"})
        self.sid = ""

    async def open(self, url: str) -> str:
        answer = await self.http.get(f"{url}/socket.io/?EIO=4&transport=polling")
        assert answer.status_code == 200, answer.text
        self.sid = answer.json()["sid"] if answer.text[0] == "{" else re.findall('"sid":"([^"]+)"', answer.text)[0]
        return self.sid

    async def connect(self, url: str, token: str) -> httpx.Response:
        """Authenticate, and fetch until the answer is there."""
        posted = await self.post(url, "40" + json.dumps({"token": token}))
        heard = ""
        while "connection.ready" not in heard:
            heard = (await self.get(url)).text
            assert "44{" not in heard, heard
        return posted

    def _at(self, url: str, sid: str | None = None) -> str:
        return f"{url}/socket.io/?EIO=4&transport=polling&sid={sid or self.sid}"

    async def post(self, url: str, body: str) -> httpx.Response:
        return await self.http.post(self._at(url), content=body)

    async def get(self, url: str, sid: str | None = None, **headers: str) -> httpx.Response:
        return await self.http.get(self._at(url, sid), headers=headers)


@pytest.fixture
async def poller() -> AsyncIterator[Poller]:
    made = Poller()
    yield made
    await made.http.aclose()


async def owned_by(poller: Poller, url: str, worker: int) -> str:
    """Open sessions until one belongs to this worker."""
    for _ in range(60):
        place = place_of(await poller.open(url))
        assert place is not None
        if place.worker == worker:
            return poller.sid
    raise AssertionError(f"worker {worker} gets no connection")


async def test_every_request_of_a_session_may_come_to_the_other_node(
    cluster: Cluster, poller: Poller, tenant: Tenant
) -> None:
    one, two = (node.url for node in cluster.processes)
    sid = await poller.open(one)
    assert place_of(sid) in [Place.of_node("s0", "p0", worker) for worker in (0, 1)]
    connected = await poller.connect(two, tenant.token("poll-a"))
    assert (connected.status_code, connected.text) == (200, "ok")
    await poller.post(two, '427["sync",{}]')
    for _ in range(5):
        heard = await poller.get(two)
        if "437[" in heard.text:
            return
    raise AssertionError(heard.text)


async def test_both_workers_get_clients_and_each_serves_the_others(
    cluster: Cluster, poller: Poller, tenant: Tenant
) -> None:
    url = cluster.processes[0].url
    for worker in (0, 1):
        await owned_by(poller, url, worker)
        await poller.connect(url, tenant.token("poll-b"))
        answered = 0
        for n in range(12):  # each over a new connection: half of them come to the wrong worker
            assert (await poller.post(url, f'42{n}["sync",{{}}]')).text == "ok"
        for _ in range(30):
            answered += len(re.findall(r"43\d+\[", (await poller.get(url)).text))
            if answered == 12:
                break
        assert answered == 12


@pytest.mark.parametrize(
    "sid",
    ["nonsense", "x.y-z", "aaaaaaaa.0-secret", "aaaaaaaa.77-secret", "{own}.0-secret", "{own}.1-secret",
     "{own}.9-secret", "{other}.0-secret", "{other}.1-secret", "{other}.9-secret", "{own}.0-%0d%0aX:y",
     "{other}.0-%20HTTP/1.1%0d%0a"],
)  # fmt: skip
async def test_a_session_that_nobody_has_is_answered_the_same_wherever_it_would_be(
    sid: str, cluster: Cluster, poller: Poller
) -> None:
    own, other = (Place.of_node("s0", name).tag for name in ("p0", "p1"))
    sid = sid.format(own=own, other=other)
    for _ in range(4):
        answer = await poller.get(cluster.processes[0].url, sid)
        assert answer.status_code == 400
        assert answer.json()["detail"] == "There is no session of this `sid`; connect anew."


async def test_a_made_up_proof_counts_for_nothing(cluster: Cluster, poller: Poller, tenant: Tenant) -> None:
    one, two = (node.url for node in cluster.processes)
    sid = await poller.open(one)
    await poller.connect(one, tenant.token("poll-c"))
    for proof in ("worker:1:00", f"node:{int(time.time())}:" + "0" * 64, ":::", "node:²:x", "x" * 5000):
        headers = {"x-natter-hop": proof.encode()}
        answer = await poller.http.post(
            f"{two}/socket.io/?EIO=4&transport=polling&sid={sid}&leave=0", headers=headers, content=b"3"
        )
        assert answer.status_code == 200, "passed on as any request, its proof replaced"
        metrics = await poller.http.get(f"{one}/metrics", headers=headers)
        assert 'worker="1"' in metrics.text


async def test_one_page_of_metrics_tells_of_every_worker(cluster: Cluster, poller: Poller) -> None:
    text = (await poller.http.get(f"{cluster.processes[0].url}/metrics")).text
    for name in ("natter_connections", "natter_bus_connected", "natter_worker_up", "natter_passing"):
        assert sorted(re.findall(rf'^{name}{{worker="(\d)"}}', text, re.M)) == ["0", "1"], text
        assert text.count(f"# TYPE {name} ") == 1


async def test_the_plans_connections_and_one_users_hold_over_workers_and_nodes(
    cluster: Cluster, balancer: RoundRobin, reach: Reach, tenant: Tenant
) -> None:
    small: Tenant = cluster.small_tenant  # type: ignore[attr-defined]
    clients = []
    for n in range(18):
        clients.append(await reach("javascript-websocket", "", balancer.url, token=small.token(f"u{n}")))
        await asyncio.sleep(0.5)  # the picture of the others is two seconds old
    await asyncio.sleep(1)
    refused = [client.seen("connect_error")[0]["data"]["code"] for client in clients if client.seen("connect_error")]
    live = [client for client in clients if client.received("connection.ready")]
    assert len(live) + len(refused) == 18
    assert set(refused) == {"quota_exceeded"}
    assert 6 <= len(live) <= 11, "what connects within two seconds may slip through, no more"

    clients = []
    for _ in range(14):
        clients.append(await reach("javascript-websocket", "greedy", balancer.url))
        await asyncio.sleep(0.6)
    await asyncio.sleep(0.5)
    refused = [client.seen("connect_error")[0]["data"]["code"] for client in clients if client.seen("connect_error")]
    assert set(refused) == {"too_many_connections"}
    assert 8 <= 14 - len(refused) <= 11


async def test_a_worker_that_dies_is_replaced_and_the_others_do_not_notice(
    cluster: Cluster, poller: Poller, tenant: Tenant
) -> None:
    node = cluster.processes[1]
    doomed, safe = Poller(), poller
    await owned_by(doomed, node.url, 0)
    await owned_by(safe, node.url, 1)
    await safe.connect(node.url, tenant.token("poll-d"))
    pids = {Path(f"/proc/{pid}/comm").read_text().strip()[-1]: pid for pid in node.children()}
    os.kill(pids["0"], signal.SIGKILL)
    await node.ready()
    assert set(node.children()) > {pids["1"]}
    assert len(node.children()) == 2
    for _ in range(4):
        assert (await doomed.get(node.url)).status_code == 400
        assert (await safe.post(node.url, '429["sync",{}]')).text == "ok"
    await doomed.http.aclose()


async def test_a_session_of_a_node_that_is_gone_is_answered_as_one_that_never_was(
    cluster: Cluster, poller: Poller, free_ports: Callable[[int], list[int]]
) -> None:
    third = cluster.add_node(free_ports(1)[0])
    third.start()
    await third.ready()
    await poller.open(third.url)
    there = await poller.http.post(poller._at(cluster.processes[0].url), content=b"3")
    assert there.status_code == 200
    third.kill()
    cluster.processes.remove(third)
    for _ in range(3):
        answer = await poller.get(cluster.processes[0].url)
        assert answer.status_code == 400
        assert "connect anew" in answer.json()["detail"]
