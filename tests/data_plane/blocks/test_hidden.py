"""Who is hidden from whom: over connections, as blocks come and go."""

from datetime import timedelta
from typing import Any

import pytest

from data_plane.blocks.hidden import Hidden
from data_plane.typing.socket import QUIET, TypingPacket
from tests.data_plane.conftest import App, World
from tests.data_plane.gateway.test_gateway import House
from tests.data_plane.typing.test_typing import enter, typing_of


@pytest.fixture
async def house(app: App) -> House:
    await app.make_users("alice", "bob", "eve")
    await app.make_channel("a", "alice", "bob", "eve")
    return House(app)


async def block(app: App, who: str, whom: str, method: str = "PUT") -> None:
    assert (await app.call(method, f"/v1/users/me/blocks/{whom}", as_user=who)).is_success


async def heard_by(house: House, typist: Any, lines: dict[str, Any]) -> set[str]:
    """Who hears that somebody begins to type."""
    before = {name: len(line.events("typing.started")) for name, line in lines.items()}
    house.world.clock.advance(timedelta(seconds=QUIET))
    typing_of(house).start(typist, TypingPacket(channel_id="a"))
    return {name for name, line in lines.items() if len(line.events("typing.started")) > before[name]}


async def test_neither_of_the_two_hears_the_other_type_while_the_block_stands(house: House) -> None:
    app = house.app
    await block(app, "alice", "bob")
    alice, hers = await enter(house, "alice")
    bob, his = await enter(house, "bob")
    eve, others = await enter(house, "eve")
    lines = {"alice": hers, "bob": his, "eve": others}
    assert await heard_by(house, bob, lines) == {"eve"}
    assert await heard_by(house, alice, lines) == {"eve"}
    assert await heard_by(house, eve, lines) == {"alice", "bob"}
    await block(app, "bob", "alice")
    await block(app, "alice", "bob", "DELETE")
    await house.hidden.refresh()
    assert await heard_by(house, bob, lines) == {"eve"}, "the other's own block stands"
    await block(app, "bob", "alice", "DELETE")
    await block(app, "eve", "alice")
    house.world.clock.advance(timedelta(seconds=1))
    await house.hidden.refresh()
    assert await heard_by(house, bob, lines) == {"alice", "eve"}
    assert await heard_by(house, alice, lines) == {"bob"}


async def test_members_who_watch_see_a_new_profile_and_the_others_read_it(house: House) -> None:
    _, hers = await enter(house, "alice")
    _, own = await enter(house, "bob")
    _, away = await enter(house, "eve", watch=False)
    assert (await house.app.call("PATCH", "/v1/users/bob", {"name": "Robert"})).is_success
    ((_, seen),) = hers.events("profile.changed")
    assert (seen["channel_id"], seen["seq"], seen["data"]["user"]["name"]) == ("a", None, "Robert")
    assert away.events("profile.changed") == own.events("profile.changed") == []
    assert len(own.events("user.updated")) == 1, "in its own log, with a place"
    profile = (await house.app.call("GET", "/v1/users/bob", as_user="eve")).json()
    assert profile == seen["data"]["user"]
    await block(house.app, "bob", "alice")
    await house.hidden.refresh()
    await house.app.call("PATCH", "/v1/users/bob", {"name": "Bob"})
    assert len(hers.events("profile.changed")) == 1


async def test_a_set_lives_as_long_as_somebody_holds_it(house: House, world: World) -> None:
    app, hidden = house.app, Hidden(world.shard.system, world.clock)
    await block(app, "alice", "bob")
    held = await hidden.of(app.id, "bob")
    assert held == {"alice"}
    assert await hidden.of(app.id, "bob") is held
    assert await hidden.of(world.app().id, "bob") == set()
    del held
    assert len(hidden._sets) == 0
