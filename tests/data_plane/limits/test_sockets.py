"""Limits of socket events: the acknowledgement tells, other users go on, a client that does not listen is cut off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from kernel.contracts import RateLimit
from tests.clients.installation import Installation, Tenant
from tests.invariants.wire import Wire

HELLO = {"channel_id": "general", "text": "hello"}


@pytest.fixture
async def tenant(installation: Installation) -> AsyncIterator[Tenant]:
    limits = (
        RateLimit(policy="messages.user", per_second=1, burst=5),
        RateLimit(policy="requests.user", per_second=1, burst=6),
        RateLimit(policy="events.connection", per_second=5, burst=10),
    )
    tenant = await installation.tenant(limits=limits)
    await tenant.channel("general", "ada", "grace")
    yield tenant
    await tenant.close()


async def connect(installation: Installation, tenant: Tenant, user_id: str, node: int = 0) -> Wire:
    wire = await Wire.open(installation.nodes[node].url, {"token": tenant.token(user_id)})
    assert wire.refusal is None
    return wire


async def call(wire: Wire, event: str, payload: Any) -> dict[str, Any]:
    """An event's acknowledgement."""
    answer: dict[str, Any] = orjson.loads(await wire.call(event, payload))[0]
    return answer


async def test_a_refused_send_is_acknowledged_as_retryable_and_is_not_stored(
    installation: Installation, tenant: Tenant
) -> None:
    ada, grace = await connect(installation, tenant, "ada"), await connect(installation, tenant, "grace", 1)
    answers = [await call(ada, "message.send", HELLO) for _ in range(6)]
    assert all("message" in answer for answer in answers[:5])
    error = answers[5]["error"]
    assert error["code"] == "rate_limited" and error["retryable"] is True and error["policy"] == "messages.user"
    assert 0 < error["retry_after"] <= 1
    assert "message" in await call(grace, "message.send", HELLO)
    await asyncio.sleep(error["retry_after"])
    assert "message" in await call(ada, "message.send", HELLO)
    page = await tenant.http.get("/v1/channels/general/messages")
    assert len(page.json()["messages"]) == 7
    # What REST counts and what the socket counts is one.
    refused = await tenant.http.post(
        "/v1/channels/general/messages", json={"text": "x"}, headers={"authorization": f"Bearer {tenant.token('ada')}"}
    )
    assert refused.status_code == 429
    await ada.close()
    await grace.close()


async def test_other_events_have_a_limit_of_their_own(installation: Installation, tenant: Tenant) -> None:
    ada = await connect(installation, tenant, "ada")
    answers = [await call(ada, "receipt.read", {"channel_id": "general"}) for _ in range(5)]
    assert all("error" not in answer for answer in answers)
    assert (await call(ada, "no.such.event", {}))["error"]["code"] == "unknown_event"
    # Events that nobody knows count too, and so do those that are not as they should be.
    assert (await call(ada, "receipt.read", {}))["error"]["policy"] == "requests.user"
    assert "message" in await call(ada, "message.send", HELLO)
    await ada.close()


async def test_passing_events_are_counted_by_connection(installation: Installation, tenant: Tenant) -> None:
    ada, other = await connect(installation, tenant, "ada"), await connect(installation, tenant, "ada")
    answers = [await call(ada, "typing.start", {"channel_id": "general"}) for _ in range(30)]
    refused = [answer["error"] for answer in answers if "error" in answer]
    assert 15 <= len(refused) <= 20
    assert {error["policy"] for error in refused} == {"events.connection"}
    assert all(0 < error["retry_after"] <= 0.2 for error in refused)
    assert await call(other, "typing.start", {"channel_id": "general"}) == {}
    await asyncio.sleep(0.25)
    assert await call(ada, "typing.start", {"channel_id": "general"}) == {}
    await ada.close()
    await other.close()


async def test_who_floods_on_is_told_and_cut_off(installation: Installation, tenant: Tenant) -> None:
    flood = '42["typing.start",{"channel_id":"general"}]'
    # Sending much without waiting for answers is a flood of another kind.
    unanswered = '421["message.send",{"channel_id":"general","text":"x"}]'
    for user_id, packet in (("ada", flood), ("grace", unanswered)):
        wire = await connect(installation, tenant, user_id)
        with suppress(ConnectionClosed):
            for _ in range(1_500):
                await wire._websocket.send(packet)
        for _ in range(200):
            if not wire.open_still:
                break
            await asyncio.sleep(0.02)
        assert not wire.open_still
        closing = next(orjson.loads(frame[1:])[1] for frame in wire.frames if "connection.closing" in frame)
        assert closing["code"] == "flooding" and closing["reconnect"] is True
        await wire.close()


async def test_refusals_of_a_flood_are_held_back(installation: Installation, tenant: Tenant) -> None:
    ada = await connect(installation, tenant, "ada")

    async def send_on() -> int:
        refused = 0
        end = asyncio.get_running_loop().time() + 2
        while asyncio.get_running_loop().time() < end:
            refused += "error" in await call(ada, "message.send", HELLO)
        return refused

    assert 10 <= await send_on() <= 45
    await ada.close()
