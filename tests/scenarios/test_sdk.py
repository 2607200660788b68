"""Clients of the JavaScript SDK lose and double nothing while nodes are killed and the database stands still."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from ops.chaos.installation import Installation
from tests.clients.driver import Driver
from tests.sdk.js.clients import SdkClient, start_driver

USERS = ("ann", "bob")
SENDS = 120


@dataclass
class App:
    """An app of the installation, as clients of the SDK need it."""

    http: httpx.AsyncClient
    publishable_key: str
    tokens: dict[str, str]

    def token(self, user: str) -> str:
        return self.tokens[user]

    async def post(self, path: str, **body: object) -> dict[str, object]:
        answer = await self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()  # type: ignore[no-any-return]


@pytest.fixture
async def app(whole: Installation) -> AsyncIterator[App]:
    """Two users in a channel."""
    (tenant,) = await whole.tenants("sdk")
    headers = {"authorization": f"Bearer {tenant.secret_key}"}
    async with httpx.AsyncClient(base_url=whole.node_urls["n1"], headers=headers, timeout=20) as http:
        app = App(http, tenant.publishable_key, {})
        await app.post("/v1/users", users=[{"id": user} for user in USERS])
        await app.post("/v1/channels", id="den", members=list(USERS))
        for user in USERS:
            app.tokens[user] = str((await app.post("/v1/tokens", user_id=user))["access_token"])
        yield app


@pytest.fixture
async def driver() -> AsyncIterator[Driver]:
    driver = await start_driver()
    yield driver
    await driver.stop()


@pytest.mark.scenario
async def test_sdk_clients_converge_while_nodes_are_killed(whole: Installation, app: App, driver: Driver) -> None:
    clients = [SdkClient(driver, app, user) for user in (*USERS, "ann")]  # type: ignore[arg-type]
    for client in clients:
        # They find the app by themselves.
        await client.ask(
            "open", key=app.publishable_key, user=client.user, locate=whole.control_url, token=app.token(client.user)
        )
        await client.do("open", "den")

    async def break_things() -> None:
        for node in ("n1", "n2"):
            whole.kill(node)
            await asyncio.sleep(0.3)
            await whole.ready(node)
        whole.send("postgres", signal.SIGSTOP)
        await asyncio.sleep(0.5)
        whole.send("postgres", signal.SIGCONT)

    breaking = asyncio.create_task(break_things())
    sent = []
    while len(sent) < SENDS or not breaking.done():
        client = clients[len(sent) % len(clients)]
        sent.append(f"{client.name} {len(sent)}")
        await client.begin("send", "den", sent[-1])
        await asyncio.sleep(0.02)
    await breaking
    await whole.ready()
    for client in clients:
        await client.do("hurry")
    for client in clients:
        await client.ask("until", status="online")
    shown = [await settled(client, len(sent)) for client in clients]
    assert shown[0] == shown[1] == shown[2], "everybody has the same order"
    assert sorted(shown[0]) == sorted(sent), "each once"
    for client in clients:
        own = [text for text in shown[0] if text.startswith(f"{client.name} ")]
        assert own == [text for text in sent if text.startswith(f"{client.name} ")], "in the order of its sending"
        await client.ask("close")


async def settled(client: SdkClient, count: int) -> list[str]:
    """All texts, once nothing waits and so many are there."""
    async with asyncio.timeout(30):
        while True:
            messages = await client.ask("messages", channel="den")
            if len(messages) >= count and all(each["state"] == "stored" for each in messages):
                return [str(each["text"]) for each in messages]
            await asyncio.sleep(0.05)
