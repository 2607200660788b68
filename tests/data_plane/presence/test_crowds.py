"""Who watches a channel, on all processes, and what a large channel's members hear instead of names."""

from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from data_plane.presence import audience, crowds
from data_plane.presence.crowds import BEAT
from tests.data_plane.presence.nodes import Nodes, Process, rounds, told


def heard(who: Any, name: str) -> list[Any]:
    return [event["data"] for _, event in who[1].events(name)]


async def tick(*processes: Process) -> None:
    for process in (*processes, *processes):
        await process.crowds.round()


async def test_watchers_of_all_processes_are_one_crowd(nodes: Nodes) -> None:
    one, two = nodes
    alice = await one.enter("alice", "a")
    assert alice[1].acks()[1]["watchers"] == {"count": 1, "aggregated": False, "user_ids": ["alice"], "anonymous": 0}
    await tick(one, two)
    bob, twice = await two.enter("bob", "a"), await two.enter("alice", "a")
    assert bob[1].acks()[1]["watchers"] == {
        "count": 2,
        "aggregated": False,
        "user_ids": ["alice", "bob"],
        "anonymous": 0,
    }
    await tick(one, two)
    assert heard(alice, "watchers.changed")[-1] == {
        "count": 2,
        "aggregated": False,
        "user_ids": ["alice", "bob"],
        "anonymous": 0,
    }
    before = len(heard(alice, "watchers.changed"))
    two.leave(twice)
    two.leave(bob)
    await tick(one, two)
    assert heard(alice, "watchers.changed")[before:] == [
        {"count": 1, "aggregated": False, "user_ids": ["alice"], "anonymous": 0}
    ]
    page = await two.people.watchers(one.app.user("bob"), "a", limit=10, cursor=None)
    assert page == {"count": 1, "aggregated": False, "user_ids": ["alice"], "anonymous": 0, "next_cursor": None}


async def test_watchers_are_paged_and_hidden_from_whom_they_blocked(nodes: Nodes) -> None:
    one, two = nodes
    assert (await one.app.call("PUT", "/v1/channels/a/members/eve")).is_success
    for user in ("alice", "bob", "eve"):
        await one.enter(user, "a")
    await tick(one)
    first = await two.people.watchers(one.app.server, "a", limit=2, cursor=None)
    assert (first["user_ids"], first["count"]) == (["alice", "bob"], 3)
    rest = await two.people.watchers(one.app.server, "a", limit=2, cursor=first["next_cursor"])
    assert (rest["user_ids"], rest["next_cursor"]) == (["eve"], None)
    assert (await one.app.call("PUT", "/v1/users/me/blocks/bob", as_user="alice")).is_success
    assert (await two.people.watchers(one.app.user("bob"), "a", limit=9, cursor=None))["user_ids"] == ["bob", "eve"]


async def test_what_a_dead_process_said_runs_out_and_an_emptied_redis_is_filled(
    nodes: Nodes,
    redis: Redis,
) -> None:
    one, two = nodes
    await one.enter("alice", "a")
    bob = await two.enter("bob", "a")
    await tick(one, two)
    await redis.flushall()
    one.world.clock.advance(timedelta(seconds=BEAT))
    await tick(one, two)
    assert heard(bob, "watchers.changed")[-1]["count"] == 2
    one.world.clock.advance(timedelta(seconds=31))
    await tick(two)
    assert heard(bob, "watchers.changed")[-1]["user_ids"] == ["bob"]


async def test_a_large_channel_is_told_in_numbers_and_never_silent(
    nodes: Nodes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (audience, crowds):
        monkeypatch.setattr(module, "LARGE", 2)
    monkeypatch.setattr("data_plane.presence.service.LARGE", 2)
    one, two = nodes
    assert (await one.app.call("PUT", "/v1/channels/a/members/eve")).is_success
    bob = await two.enter("bob", "a")
    assert bob[1].acks()[1]["presence"] == {"aggregated": True, "online_count": 1, "members": []}
    await tick(one, two)
    alice = await one.enter("alice")
    await one.enter("eve")
    again = await two.enter("alice")
    # Nobody was here to hear that somebody counts; it is asked again with every beat.
    one.world.clock.advance(timedelta(seconds=BEAT))
    await tick(two, one, two)
    assert told(bob) == []
    assert heard(bob, "presence.counted")[-1] == {"aggregated": True, "online_count": 3}, "alice counts once"
    assert (await one.ask(alice, "presence.set", status="invisible"))["status"] == "invisible"
    await rounds(one, two)
    await tick(one, two)
    assert heard(bob, "presence.counted")[-1]["online_count"] == 2
    for who in (alice, again):
        await (one if who is alice else two).ask(who, "channel.watch", channel_id="a")
    # One leaves: it is small again, and has names again.
    assert (await one.app.call("DELETE", "/v1/channels/a/members/eve")).is_success
    await two.presence.round()
    await one.ask(alice, "presence.set", status="online")
    assert told(bob)[-1] == ("alice", "online")
