"""While a client moves from polling to WebSocket, messages keep coming."""

import asyncio

import pytest

from tests.clients.conftest import Connect, NewLine
from tests.clients.installation import Tenant
from tests.clients.test_chat import seqs, texts

CLIENTS = 40


@pytest.mark.parametrize("language", ["javascript", "python"])
async def test_a_message_during_the_upgrade_is_neither_lost_nor_doubled(
    language: str, connect: Connect, tenant: Tenant, new_line: NewLine
) -> None:
    await tenant.channel("general", "alice", "bob")
    # Slow lines make the upgrade last, so that messages fall into each of its steps.
    lines = [await new_line(node, delay=0.04) for node in (0, 1)]
    first = await connect("javascript-default")
    cursor = (await first.event("connection.ready"))["cursor"]  # every client shall get all that comes after this
    writing, sent = True, 0

    async def write() -> None:
        nonlocal sent
        while writing:
            sent += 1
            await tenant.post("/v1/channels/general/messages", text=f"m{sent}", user_id="bob")

    writers = [asyncio.create_task(write()) for _ in range(4)]
    clients = []
    for n in range(CLIENTS):
        clients.append(await connect(f"{language}-default", url=lines[n % 2].url, cursor=cursor))
        await asyncio.sleep(0.03)
    for client in clients:
        await client.event("connection.ready")
        if language == "javascript":
            await client.signal("upgrade")
    await asyncio.sleep(0.3)
    writing = False
    await asyncio.gather(*writers)
    for client in clients:
        await client.until(lambda client=client: len(texts(client)) >= sent, "all messages")
        heard = seqs(client, "general")
        assert heard == list(range(heard[0], heard[0] + sent))
        assert sorted(texts(client)) == sorted(f"m{n + 1}" for n in range(sent))
        assert len(client.seen("connect")) == 1


async def test_what_a_client_sends_during_the_upgrade_is_answered(connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice", "bob")
    sent = 0
    for n in range(15):
        client = await connect("javascript-default", node=n % 2)
        await client.signal("connect")
        for _ in range(10):
            await client.send("general", f"m{sent}")
            sent += 1
        await client.signal("upgrade")
        await client.event("message.created", 10)
        assert texts(client) == [f"m{m}" for m in range(sent - 10, sent)]
        await client.close()
