"""Who types: heard by those who watch, told seldom, kept nowhere."""

from datetime import timedelta

import pytest

from data_plane.gateway.connection import Connection
from data_plane.log import LogKey
from data_plane.presence import audience
from data_plane.presence.audience import Audience
from data_plane.typing.crowd import TypingCrowd
from data_plane.typing.socket import LIFETIME, QUIET, Typing, TypingPacket
from kernel.errors import InvalidInput, NotFound
from tests.data_plane.conftest import App
from tests.data_plane.gateway.test_gateway import House, until

PACKET = TypingPacket(channel_id="a")


@pytest.fixture
async def house(app: App) -> House:
    await app.make_users("alice", "bob", "eve")
    await app.make_channel("a", "alice", "bob")
    return House(app)


def typing_of(house: House) -> Typing:
    return Typing(house.shard, house.hub, house.hub.deliver)


async def enter(house: House, user: str, *, watch: bool = True) -> tuple[Connection, "object"]:
    wire, line = await house.connect(user)
    if watch:
        house.packet(wire, "channel.watch", {"channel_id": "a"})
        await until(lambda: 1 in line.acks())
    assert wire.connection is not None
    return wire.connection, line


async def test_watchers_hear_it_and_its_author_and_the_others_do_not(house: House) -> None:
    alice, hers = await enter(house, "alice")
    _, his = await enter(house, "bob")
    _, not_watching = await enter(house, "bob", watch=False)
    typing = typing_of(house)
    assert typing.start(alice, PACKET) == {}
    assert typing.stop(alice, PACKET) == {}
    heard = [(name, event["seq"], event["data"]) for name, event in his.events() if name.startswith("typing.")]
    assert heard == [
        ("typing.started", None, {"user_id": "alice", "thread_id": None}),
        ("typing.stopped", None, {"user_id": "alice", "thread_id": None}),
    ]
    for line in (hers, not_watching):
        assert [name for name, _ in line.events() if name.startswith("typing.")] == []
    assert await house.app.types("c:a") == ["channel.created", "member.added", "member.added"], "no log keeps it"


async def test_every_keystroke_is_answered_and_few_are_passed_on(house: House) -> None:
    alice, _ = await enter(house, "alice")
    _, his = await enter(house, "bob")
    typing = typing_of(house)
    for _ in range(50):
        typing.start(alice, PACKET)
    assert len(his.events("typing.started")) == 1
    house.world.clock.advance(timedelta(seconds=QUIET))
    typing.start(alice, PACKET)
    assert len(his.events("typing.started")) == 2
    assert QUIET * 2 < LIFETIME, "one lost event must not make a typist vanish"


async def test_who_never_started_has_nothing_to_stop(house: House) -> None:
    alice, _ = await enter(house, "alice")
    _, his = await enter(house, "bob")
    assert typing_of(house).stop(alice, PACKET) == {}
    assert his.events("typing.stopped") == []


async def test_only_members_type(house: House) -> None:
    eve, _ = await enter(house, "eve", watch=False)
    with pytest.raises(NotFound):
        typing_of(house).start(eve, PACKET)


async def test_who_was_removed_hears_and_says_nothing_more(house: House) -> None:
    alice, _ = await enter(house, "alice")
    bob, his = await enter(house, "bob")
    typing = typing_of(house)
    typing.start(bob, PACKET)
    typing.start(bob, PACKET)
    assert (await house.app.call("DELETE", "/v1/channels/a/members/bob")).is_success
    typing.start(alice, PACKET)
    assert his.events("typing.started") == []
    with pytest.raises(NotFound):
        typing.start(bob, PACKET)


async def test_who_watches_a_channel_that_it_was_removed_from_types_no_more(house: House) -> None:
    bob, _ = await enter(house, "bob")
    typing = typing_of(house)
    typing.start(bob, PACKET)
    bob.watching.add("a")
    with pytest.raises(NotFound):
        typing.start(bob, PACKET)


async def test_a_stop_on_one_connection_ends_what_another_began(house: House) -> None:
    alice, _ = await enter(house, "alice")
    her_phone, _ = await enter(house, "alice")
    _, his = await enter(house, "bob")
    typing = typing_of(house)
    typing.start(alice, PACKET)
    typing.start(alice, PACKET)
    typing.stop(her_phone, PACKET)
    typing.start(alice, PACKET)
    heard = [name for name, _ in his.events() if name.startswith("typing.")]
    assert heard == ["typing.started", "typing.stopped", "typing.started"]


async def test_threads_are_typed_in_for_themselves(house: House) -> None:
    alice, _ = await enter(house, "alice")
    _, his = await enter(house, "bob")
    typing, thread = typing_of(house), house.shard.ids.new("msg")
    in_thread = TypingPacket(channel_id="a", thread_id=thread)
    for _ in range(3):
        typing.start(alice, PACKET)
        typing.start(alice, in_thread)
    assert [event["data"]["thread_id"] for _, event in his.events("typing.started")] == [None, thread]
    typing.stop(alice, in_thread)
    assert [event["data"]["thread_id"] for _, event in his.events("typing.stopped")] == [thread]
    with pytest.raises(InvalidInput):
        typing.start(alice, TypingPacket(channel_id="a", thread_id="msg_nothing"))


async def test_in_a_large_channel_typists_are_a_number(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "LARGE", 1)
    listeners = Audience(house.hub)
    house.hub.attend(listeners)
    crowd = TypingCrowd(house.shard, house.hub, listeners)
    alice, _ = await enter(house, "alice")
    bob, his = await enter(house, "bob")
    key = LogKey(house.app.id, "c:a")
    listeners.loaded(key, seq=3, size=2, members=None, type="group")
    typing = typing_of(house)
    for who in (alice, bob):
        typing.start(who, PACKET)
    assert his.events("typing.started") == []
    crowd.round()
    crowd.round()
    typing.stop(bob, PACKET)
    crowd.round()
    house.world.clock.advance(timedelta(seconds=LIFETIME))
    crowd.round()
    assert [event["data"]["count"] for _, event in his.events("typing.counted")] == [2, 1, 0]
    typing.start(alice, PACKET)
    crowd.round()
    _, late = await enter(house, "bob")
    crowd.round()
    assert [event["data"]["count"] for _, event in late.events("typing.counted")] == [1], (
        "who comes later knows it, too"
    )
    house.world.clock.advance(timedelta(seconds=LIFETIME))
    crowd.round()
    assert crowd._typists == {}
