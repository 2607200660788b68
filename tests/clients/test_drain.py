"""Both nodes are restarted, one after the other, while clients of every kind call all the time. One of them is a single
process, the other has workers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.nursery import BlockingNursery
from tests.clients.cluster import Cluster, NodeProcess, RoundRobin
from tests.clients.conftest import TRANSPORTS
from tests.clients.driver import Client, Driver
from tests.clients.installation import Tenant
from tests.clients.test_chat import texts
from tests.engines import Engines

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(240)]

EVERY = 250
"""Milliseconds between two calls of a client."""
WORKERS = (1, 2)
"""Of the first node and of the second."""


@dataclass
class House:
    """Two nodes, a balancer, one app, and who lives through it."""

    cluster: Cluster
    balancer: RoundRobin
    tenant: Tenant
    driver: Driver
    clients: list[Client] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """REST calls that had no good answer."""
    posted: list[str] = field(default_factory=list)
    closed: int = 0
    """Answers that said that their connection closes."""


@pytest.fixture
async def here(
    engines: Engines, free_ports: Callable[[int], list[int]], nursery: BlockingNursery, tmp_path: Path
) -> AsyncIterator[House]:
    ports = free_ports(3)
    database = await engines.fresh_database("chat")
    cluster = Cluster(database.url, engines.redis_url, tmp_path, nursery)
    tenant = await cluster.tenant()
    for port, workers in zip(ports, WORKERS, strict=False):
        cluster.add_node(port, workers=workers)
    await cluster.start_all()
    tenant.http.base_url = httpx.URL(cluster.processes[0].url)
    balancer = await RoundRobin(ports[:2]).start(ports[2])
    driver = await Driver.start("javascript")
    yield House(cluster, balancer, tenant, driver)
    await driver.stop()
    await balancer.stop()
    await tenant.close()
    await cluster.stop()
    await engines.drop_database(database)


async def test_a_rolling_restart_leaves_no_call_unanswered_and_loses_no_message(here: House) -> None:
    users = [f"{kind}{n}" for kind in TRANSPORTS for n in range(3)]
    await here.tenant.channel("general", *users, "server")
    for user in users:
        token = here.tenant.token(user)
        options = {**TRANSPORTS[user[:-1]], "reconnectionDelay": 200, "reconnectionDelayMax": 1000}
        here.clients.append(await here.driver.open(here.balancer.url, user, options=options, token=token, resume=True))
    for client in here.clients:
        await client.event("connection.ready")  # all of them: who is not here yet need not hear what is said
    for client in here.clients:
        await here.driver.ask("hammer", client.name, channel="general", every=EVERY)
    resting = asyncio.Event()
    callers = [asyncio.create_task(call_rest(here, f"rest{n}", resting)) for n in range(3)]

    for node in here.cluster.processes:
        await asyncio.sleep(1)
        await restart(node, here)
    await asyncio.sleep(2)
    resting.set()
    await asyncio.gather(*callers)
    calls = [call for calls in await asyncio.gather(*(rest(here, client) for client in here.clients)) for call in calls]

    unanswered = [call for call in calls if call["answer"] is None]
    wrongly = [call for call in unanswered if call["leaveAt"] is None or call["at"] <= call["leaveAt"]]
    names = {call["text"].partition("/")[0] for call in wrongly}
    ends = [
        {name: value for name, value in signal.items() if name != "payload"}
        for client in here.clients if client.name in names
        for signal in client.signals if signal["on"] != "event" or signal["event"].startswith("connection.")
    ]  # fmt: skip
    assert wrongly == [], f"{len(wrongly)} of {len(calls)} calls had no answer: {wrongly[:5]} after {ends}"
    refused = [call["answer"]["error"] for call in calls if call["answer"] and "error" in call["answer"]]
    assert all(error["retryable"] and error["code"] == "unavailable" for error in refused), refused[:5]
    early = [
        call
        for call in calls
        if call["answer"] and "error" in call["answer"] and call["at"] <= (call["leaveAt"] or 1e15)
    ]
    assert early == [], f"refused before their time: {early[:5]}"
    assert here.failed == []
    assert here.closed > 0

    acked = {
        call["text"]: call["answer"]["message"]["id"]
        for call in calls
        if call["answer"] and "message" in call["answer"]
    }
    assert len(acked) > 300
    history = await everything(here)
    texts_stored = [message["text"] for message in history]
    assert len(texts_stored) == len(set(texts_stored))
    assert set(acked) | set(here.posted) <= set(texts_stored)
    assert {message["text"]: message["id"] for message in history if message["text"] in acked} == acked
    for client in here.clients:
        assert len(client.received("connection.closing")) >= 1
        assert all(
            closing["code"] == "shutdown" and closing["resync"] for closing in client.received("connection.closing")
        )
        try:
            await client.until(lambda client=client: set(texts(client)) >= set(acked), "all that was acknowledged")
        except AssertionError:
            seqs = {message["text"]: message["seq"] for message in history}
            raise AssertionError(
                what_was_missed(client, {seqs[text] for text in set(acked) - set(texts(client))})
            ) from None


def what_was_missed(client: Client, missing: set[int]) -> str:
    """How its connections went, and which messages it heard on each."""
    story: list[str] = []
    run: list[int] = []
    for signal in client.signals:
        if signal["on"] == "event" and signal["event"] == "message.created":
            run.append(signal["payload"]["seq"])
            continue
        if run:
            holes = sorted(set(range(min(run), max(run))) - set(run))
            story.append(
                f"heard {len(run)}, {run[0]} to {run[-1]}, of them out of order "
                f"{[b for a, b in pairwise(run) if b <= a]}, without {holes}"
            )
            run = []
        story.append(str(signal)[:400])
    return f"{client.kind} {client.name} never heard {sorted(missing)}:\n" + "\n".join([*story, f"then {run}"])


async def restart(node: NodeProcess, here: House) -> None:
    """What a deployment does."""
    await node.stop()
    assert node.codes[-1] == 0, node.log.read_text()[-3000:]
    assert node.took < 30
    print(f"{node.name} took {node.took:.1f} s to end")
    node.start()
    await node.ready()
    while node.port not in here.balancer.healthy:
        await asyncio.sleep(0.1)


async def call_rest(here: House, name: str, resting: asyncio.Event) -> None:
    """The customer's server posts over connections that it keeps."""
    headers = {"authorization": f"Bearer {here.tenant.secret_key}"}
    async with httpx.AsyncClient(base_url=here.balancer.url, trust_env=False, headers=headers, timeout=10) as http:
        n = 0
        while not resting.is_set():
            n += 1
            text = f"{name}/{n}"
            try:
                answer = await http.post("/v1/channels/general/messages", json={"text": text, "user_id": "server"})
            except httpx.HTTPError as error:
                here.failed.append(f"{text}: {error!r}")
                continue
            if answer.status_code != 201:
                here.failed.append(f"{text}: {answer.status_code} {answer.text}")
            else:
                here.posted.append(text)
            here.closed += answer.headers.get("connection") == "close"
            await asyncio.sleep(0.1)


async def rest(here: House, client: Client) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = await here.driver.ask("rest", client.name)
    return calls


async def everything(here: House) -> list[dict[str, Any]]:
    """The channel's history."""
    messages: list[dict[str, Any]] = []
    while True:
        after = messages[-1]["seq"] if messages else 0
        answer = await here.tenant.http.get("/v1/channels/general/messages", params={"after": after, "limit": 100})
        page = answer.json()
        messages += page["messages"]
        if not page["has_after"]:
            return messages
