"""A channel that takes no more: what its refusals cost the others."""

import asyncio
from typing import Any

import msgspec
import pytest

from data_plane.limits import limiter as limiter_module
from data_plane.limits.limiter import Limiter
from data_plane.messages import send as module
from data_plane.messages.send import SendMessage, SendService
from kernel.contracts import RateLimit
from kernel.errors import NotFound, RateLimited
from tests.data_plane.world import App, World


@pytest.fixture
async def busy(app: App, world: World, monkeypatch: pytest.MonkeyPatch) -> SendService:
    """Of a channel `den` of Ann's that takes one message."""
    await app.make_users("ann", "eve")
    await app.make_channel("den", owner="ann")
    limit = RateLimit(policy="messages.channel", per_second=0.001, burst=1)
    app.snapshot = msgspec.structs.replace(app.snapshot, limits=(limit,))
    service: SendService = world.services["send_service"]
    limiter: Limiter = service._limiter
    monkeypatch.setattr(limiter_module, "MOST_SECONDS_HELD", 0.0)
    monkeypatch.setattr(limiter, "away", True)  # nobody settles here
    await service.send(app.user("ann"), "den", SendMessage(text="the one"))
    return service


async def test_who_floods_a_channel_is_looked_up_once(
    busy: SendService, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    async def look(*args: Any) -> Any:
        looks.append(args)
        return await visible(*args)

    visible = module.visible_channel
    monkeypatch.setattr(module, "visible_channel", look)
    sends = [busy.send(app.user("ann"), "den", SendMessage(text="more")) for _ in range(50)]
    refusals = await asyncio.gather(*sends, return_exceptions=True)
    assert {type(refusal) for refusal in refusals} == {RateLimited}
    assert len(looks) == 1


async def test_a_stranger_is_told_nothing_however_often_it_asks(busy: SendService, app: App) -> None:
    sends = [busy.send(app.user("eve"), "den", SendMessage(text="hello?")) for _ in range(20)]
    refusals = await asyncio.gather(*sends, return_exceptions=True)
    assert {type(refusal) for refusal in refusals} == {NotFound}
