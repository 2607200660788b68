"""The follower brings what the bus lost, and admits when it cannot know what it missed."""

from datetime import timedelta

import pytest

from data_plane.fanout.follower import CURRENT, PATIENCE, Follower
from data_plane.fanout.hub import Hub
from data_plane.log import Entry, LogKey
from tests.data_plane.conftest import App, World


class Ear:
    hidden: frozenset[str] = frozenset()

    def __init__(self, app: App) -> None:
        self.app_id = app.id
        self.user_id = "alice"
        self.heard: list[int] = []

    def deliver(self, frame: list[Entry]) -> None:
        self.heard.extend(entry.seq for entry in frame)


def follow(world: World) -> tuple[Hub, Follower, list[int], list[str]]:
    horizons: list[int] = []
    lost: list[str] = []
    hub = Hub(world.shard.reader, encode=list)
    follower = Follower(
        hub,
        world.shard.reader,
        world.clock,
        on_horizon=lambda horizon, _: horizons.append(horizon),
        on_lost=lambda: lost.append("lost"),
    )
    return hub, follower, horizons, lost


async def test_what_no_bus_brought_is_heard_after_one_round(app: App, world: World) -> None:
    await app.make_users("alice")
    await app.make_channel("a", "alice")
    hub, follower, horizons, lost = follow(world)
    await follower.start_at_present()
    ear = Ear(app)
    hub.join(ear, LogKey(app.id, "c:a"), 3)
    for i in range(5):
        await app.send("a", "alice", f"m{i}")
    await follower.round()
    assert ear.heard == [3, 4, 5, 6, 7]
    assert len(horizons) == 1
    assert lost == []


async def test_who_joins_late_hears_what_a_look_had_spoken_of_before(app: App, world: World) -> None:
    await app.make_users("alice")
    await app.make_channel("a", "alice")
    hub, follower, _, _ = follow(world)
    await follower.start_at_present()
    announced = hub.announced
    # A connection reads its positions: 2 entries so far. Before it joins, one more comes and a look goes by.
    await app.send("a", "alice", "in between")
    await follower.round()
    ear = Ear(app)
    hub.join(ear, LogKey(app.id, "c:a"), 3)
    await follower.round()
    assert ear.heard == [], "nobody speaks of it any more"

    hub.announce_again(announced)
    await follower.round()
    assert ear.heard == [3]


async def test_what_is_to_be_said_again_outlives_a_look_that_failed(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.make_users("alice")
    await app.make_channel("a", "alice")
    hub, follower, _, _ = follow(world)
    await follower.start_at_present()
    announced = hub.announced
    await app.send("a", "alice", "in between")
    await follower.round()
    ear = Ear(app)
    hub.join(ear, LogKey(app.id, "c:a"), 3)
    hub.announce_again(announced)
    with monkeypatch.context() as patched:
        patched.setattr(world.shard.reader, "commits", None)
        with pytest.raises(TypeError):
            await follower.round()
    await follower.round()
    assert ear.heard == [3]


async def test_a_node_that_was_away_too_long_says_so(app: App, world: World) -> None:
    _, follower, horizons, lost = follow(world)
    await follower.start_at_present()
    world.clock.advance(timedelta(seconds=PATIENCE + 1))
    await follower.round()
    assert lost == ["lost"]
    assert horizons == []
    await follower.round()
    assert lost == ["lost"]
    assert len(horizons) == 1


async def test_a_look_is_good_for_two_seconds(app: App, world: World) -> None:
    _, follower, _, _ = follow(world)
    assert not follower.is_current()
    await follower.start_at_present()
    assert follower.is_current()
    world.clock.advance(timedelta(seconds=CURRENT + 0.1))
    assert not follower.is_current()
    await follower.round()
    assert follower.is_current()
