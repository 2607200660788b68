"""What clients of the SDK know is what a fresh reader reads, whatever breaks meanwhile."""

import asyncio
import random
from typing import Any

from tests.clients.installation import Installation, Tenant
from tests.sdk.js.clients import SdkClient
from tests.sdk.js.conftest import NewLine, OpenClient

USERS = ("ann", "bob", "cid")
CHANNELS = ("den", "lab")


async def _app(tenant: Tenant) -> None:
    await tenant.post("/v1/users", users=[{"id": user} for user in USERS])
    await tenant.post("/v1/channels", id="den", type="group", members=["bob", "cid"], user_id="ann")
    await tenant.post("/v1/channels", id="lab", type="team", members=["bob"], user_id="ann")


async def _act(client: SdkClient, chance: random.Random, count: list[int]) -> None:
    """Something that a user does, without waiting for it."""
    channel = chance.choice(CHANNELS)
    held = await client.ask("messages", channel=channel)
    stored = [{"id": each["id"], "channel_id": channel} for each in held]
    kind = chance.choice(("send", "send", "send", "reply", "edit", "react", "unreact", "delete", "read", "hide"))
    count[0] += 1
    if kind in ("send", "reply") or not stored:
        reply = {"thread_id": stored[0]["id"]} if kind == "reply" and stored else {}
        await client.begin("send", channel, {"text": f"{client.name} {count[0]}", **reply})
    elif kind == "edit":
        await client.begin("edit", chance.choice(stored), {"text": f"edited {count[0]}"})
    elif kind in ("react", "unreact"):
        await client.begin(kind, chance.choice(stored), chance.choice(("👍", "🎉")))
    elif kind == "read":
        await client.begin("markRead", channel)
    else:
        await client.begin(kind, chance.choice(stored))


async def _administer(tenant: Tenant, chance: random.Random) -> None:
    """Something that the app's server does."""
    channel, user = chance.choice(CHANNELS), chance.choice(USERS[1:])
    calls: list[tuple[str, str, Any]] = [
        ("PATCH", f"/v1/channels/{channel}", {"name": f"Name {chance.random()}"}),
        ("DELETE", f"/v1/channels/{channel}/members/{user}", None),
        ("POST", f"/v1/channels/{channel}/members", {"user_ids": [user]}),
        ("PUT", f"/v1/channels/{channel}/members/{user}", {"role": "moderator"}),
        ("PATCH", f"/v1/channels/{channel}/membership", {"pinned": True, "user_id": user}),
        ("PATCH", f"/v1/users/{user}", {"name": f"Name {chance.random()}"}),
    ]
    method, path, body = chance.choice(calls)
    await tenant.http.request(method, path, json=body)


async def test_clients_converge_under_cuts_and_moves(
    open_client: OpenClient, tenant: Tenant, new_line: NewLine, sdk_nodes: Installation
) -> None:
    chance = random.Random(6)
    await _app(tenant)
    lines = [await new_line(place % 2) for place in range(4)]
    # Ann has two devices.
    clients = [
        await open_client(user, line.url, storage=f"disk {place}")
        for place, (user, line) in enumerate(zip((*USERS, "ann"), lines, strict=True))
    ]
    await asyncio.gather(*(client.ask("view", load=True) for client in clients))
    count = [0]
    for round in range(5):
        for _ in range(12):
            await _act(chance.choice(clients), chance, count)
            if chance.random() < 0.2:
                await _administer(tenant, chance)
        line = lines[round % len(lines)]
        line.cut()
        for _ in range(8):
            await _act(chance.choice(clients), chance, count)
        line.mend(sdk_nodes.nodes[round % 2].port)
    for client in clients:
        await client.do("hurry")
    states = await asyncio.gather(*(client.settle() for client in clients))
    assert states[0] == states[3], "two devices of one user know the same"
    assert count[0] == 100
