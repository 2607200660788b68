"""Clients of the JavaScript SDK lose and double nothing while nodes are killed and the database stands still."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from natter import AsyncNatter
from ops.chaos.installation import Installation
from tests.clients.driver import Driver
from tests.sdk.js.clients import SdkClient, start_driver

USERS = ("ann", "bob")
SENDS = 120


@dataclass
class App:
    """An app of the installation, as clients of the SDK need it."""

    publishable_key: str
    tokens: dict[str, str]

    def token(self, user: str) -> str:
        return self.tokens[user]


@pytest.fixture
async def app(whole: Installation) -> App:
    """Two users in a channel."""
    (tenant,) = await whole.tenants("sdk")
    async with AsyncNatter(tenant.secret_key, url=whole.node_urls["n1"]) as natter:
        await natter.users.upsert([{"id": user} for user in USERS])
        await natter.channels.create(id="den", members=USERS)
        tokens = {user: (await natter.tokens.create(user)).access_token for user in USERS}
    return App(tenant.publishable_key, tokens)


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
