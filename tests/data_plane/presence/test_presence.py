"""Where users are: devices on several processes, what they choose, and who hears of it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from data_plane.presence import schemas, tracker
from data_plane.presence.tracker import BEAT, HEAL, SAVE, SWEEP
from tests.data_plane.presence.nodes import Nodes, Process, rounds, told


async def view(node: Process, user: str, of: str = "alice") -> Any:
    return await node.people.get(node.app.user(user), of)


async def test_a_user_is_where_the_best_of_its_devices_is_on_any_process(nodes: Nodes) -> None:
    one, two = nodes
    bob = await two.enter("bob", "a")
    phone = await one.enter("alice")
    laptop = await two.enter("alice")
    assert told(bob) == [("alice", "online")], "the second device is no news"
    await one.ask(phone, "presence.set", status="away")
    await rounds(one)
    assert (await view(two, "bob"))["status"] == "online"
    two.leave(laptop)
    await rounds(two)
    one.leave(phone)
    await rounds(one)
    assert told(bob) == [("alice", status) for status in ("online", "away", "offline")]
    assert (await view(two, "bob"))["status"] == "offline"


async def test_who_watches_no_channel_with_a_user_hears_nothing_unless_it_subscribes(nodes: Nodes) -> None:
    one, two = nodes
    await one.app.make_channel("b", "bob", "eve")
    eve = await two.enter("eve", "b")
    alice = await one.enter("alice", "a")
    assert told(eve) == []
    answer = await two.ask(eve, "presence.subscribe", user_ids=["alice", "bob"])
    assert [(each["user_id"], each["status"]) for each in answer["presence"]] == [
        ("alice", "online"),
        ("bob", "offline"),
    ]
    one.leave(alice)
    await rounds(one)
    assert told(eve) == [("alice", "offline")]
    await two.ask(eve, "presence.unsubscribe", user_ids=["alice"])
    await one.enter("alice")
    assert told(eve) == [("alice", "offline")]
    refused = await two.ask(eve, "presence.subscribe", user_ids=["nobody"])
    assert refused["error"]["code"] == "unknown_users"
    two.leave(eve)
    assert two.presence.audience.people() == [], "nothing is left of a connection that has ended"


async def test_a_connection_subscribes_to_a_bounded_number(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_plane.presence.service.MAX_SUBSCRIBED", 1)
    assert schemas.MAX_SUBSCRIBED == 200
    eve = await nodes[0].enter("eve")
    refused = await nodes[0].ask(eve, "presence.subscribe", user_ids=["alice", "bob"])
    assert refused["error"]["code"] == "too_many_subscriptions"
    assert nodes[0].presence.audience.people() == []


async def test_an_invisible_user_is_offline_to_everybody_but_itself(nodes: Nodes) -> None:
    one, two = nodes
    bob = await two.enter("bob", "a")
    alice, other = await one.enter("alice", "a"), await two.enter("alice")
    answer = await one.ask(alice, "presence.set", status="invisible")
    assert answer["status"] == "invisible"
    assert told(bob) == [("alice", "online"), ("alice", "offline")]
    assert told(other) == [("alice", "invisible")], "on all of its devices, wherever they are"
    await rounds(one, two)
    two.leave(other)
    one.leave(alice)
    await rounds(one, two)
    alice = await one.enter("alice", "a")
    assert told(bob)[2:] == [], "its coming and going is nobody's business"
    assert (await view(two, "bob"))["status"] == "offline"
    assert (await view(two, "alice"))["status"] == "invisible"
    for node in nodes:
        await node.crowds.round()
    crowd = await two.people.watchers(one.app.user("bob"), "a", limit=10, cursor=None)
    assert (crowd["count"], crowd["user_ids"]) == (1, ["bob"]), "nor does it watch"
    assert (await one.ask(alice, "presence.set", status="online"))["status"] == "online"
    assert told(bob)[2:] == [("alice", "online")]


async def test_who_has_blocked_or_is_blocked_sees_nothing(nodes: Nodes) -> None:
    one, two = nodes
    await one.enter("alice")
    assert (await one.app.call("PUT", "/v1/users/me/blocks/bob", as_user="alice")).is_success
    bob = await two.enter("bob", "a")
    seen = await view(two, "bob")
    assert (seen["status"], seen["text"], seen["last_active_at"]) == ("offline", None, None)
    assert (await view(two, "eve"))["status"] == "online"
    await one.people.put(one.app.user("alice"), "alice", schemas.PutPresence(text="Lunch"))
    assert told(bob) == []
    watched = bob[1].acks()[1]
    assert [(each["user_id"], each["status"]) for each in watched["presence"]["members"]] == [
        ("alice", "offline"), ("bob", "online"),
    ]  # fmt: skip


async def test_a_text_is_told_ends_in_time_and_is_the_users_own(nodes: Nodes) -> None:
    one, two = nodes
    bob = await two.enter("bob", "a")
    expires = one.world.clock.now() + timedelta(minutes=5)
    await one.people.put(one.app.user("alice"), "alice", schemas.PutPresence(text="Lunch", text_expires_at=expires))
    (_, event) = bob[1].events("presence.changed")[-1]
    assert (event["data"]["text"], event["data"]["status"]) == ("Lunch", "offline")
    assert (await view(two, "bob"))["text"] == "Lunch"
    one.world.clock.advance(timedelta(minutes=5))
    assert (await view(two, "bob"))["text"] is None


async def test_a_process_that_dies_leaves_nobody_behind(nodes: Nodes) -> None:
    one, two = nodes
    # Of this process alone: whoever goes on would fall silent, too, where the machine takes its time.
    one.presence._store._life = soon = 200  # milliseconds instead of thirty seconds
    await one.enter("alice")
    bob = await two.enter("bob", "a")
    await asyncio.sleep(soon / 1000 + 0.05)
    await two.presence._put(set(two.presence._locals))
    two.world.clock.advance(timedelta(seconds=SWEEP))
    await rounds(two)
    assert told(bob) == [("alice", "offline")]
    assert (await view(two, "eve"))["status"] == "offline"
    assert (await view(two, "eve", "bob"))["status"] == "online"


async def test_an_emptied_redis_is_full_again_after_a_heartbeat_and_nobody_hears_of_it(
    nodes: Nodes, redis: Redis
) -> None:
    one, two = nodes
    alice = await one.enter("alice")
    await one.ask(alice, "presence.set", status="away")
    await rounds(one)
    bob = await two.enter("bob", "a")
    invisible = await two.enter("eve")
    await two.ask(invisible, "presence.set", status="invisible")
    await redis.flushall()
    assert (await view(two, "bob"))["status"] == "offline"
    one.world.clock.advance(timedelta(seconds=BEAT))
    await rounds(one, two)
    assert [(await view(two, "bob", of))["status"] for of in ("alice", "bob", "eve")] == ["away", "online", "offline"]
    assert told(bob) == []


async def test_a_lost_message_is_made_good(nodes: Nodes) -> None:
    one, two = nodes
    bob = await two.enter("bob", "a")
    two.world.clock.advance(timedelta(seconds=HEAL))
    await rounds(two)
    two.deaf = True
    alice = await one.enter("alice")
    assert told(bob) == []
    two.world.clock.advance(timedelta(seconds=HEAL))
    await two.presence._heal()
    assert told(bob) == [("alice", "online")]
    await one.ask(alice, "presence.set", status="invisible")
    laptop = await two.enter("alice")
    assert (await view(two, "bob"))["status"] == "offline", "a choice that was not heard of is in the database"
    two.leave(laptop)


async def test_a_message_that_comes_late_takes_nothing_back(nodes: Nodes) -> None:
    one, two = nodes
    bob = await two.enter("bob", "a")
    kept: list[Any] = []
    publish = one.publish
    one.presence._publish = kept.extend
    alice = await one.enter("alice")
    one.leave(alice)
    await rounds(one)
    first, second = kept
    publish([second])
    publish([first])
    assert told(bob) == [("alice", "offline")]


async def test_who_joins_a_channel_is_heard_of_and_who_left_is_not(nodes: Nodes) -> None:
    one, two = nodes
    bob = await two.enter("bob", "a")
    eve = await one.enter("eve")
    assert told(bob) == []
    assert (await one.app.call("PUT", "/v1/channels/a/members/eve")).is_success
    await one.ask(eve, "presence.set", status="away")
    await rounds(one)
    assert told(bob) == [("eve", "away")]
    assert (await one.app.call("DELETE", "/v1/channels/a/members/eve")).is_success
    await one.ask(eve, "presence.set", status="online")
    await rounds(one)
    assert told(bob) == [("eve", "away")]


async def test_last_activity_is_stored_for_many_users_in_one_statement_and_never_goes_back(nodes: Nodes) -> None:
    one, two = nodes
    clock = one.world.clock
    for user in ("alice", "bob", "eve"):
        await one.enter(user)
    began = clock.now()
    writes: list[int] = []
    save = tracker.save_activity

    async def counted(database: Any, active: Any) -> None:
        writes.append(len(active))
        await save(database, active)

    tracker.save_activity = counted  # type: ignore[assignment]
    try:
        clock.advance(timedelta(seconds=SAVE))
        await rounds(one)
    finally:
        tracker.save_activity = save
    assert writes == [3]
    rows = await one.app.fetch("select user_id, last_active_at from chat.presence where app_id = $1")
    assert {row["user_id"]: row["last_active_at"] for row in rows} == dict.fromkeys(("alice", "bob", "eve"), began)
    await save(one.shard.system, [((one.app.id, "bob"), began - timedelta(hours=1))])
    assert (await view(two, "alice", "bob"))["last_active_at"].startswith(began.isoformat()[:19])


async def test_a_thousand_users_are_renewed_in_few_calls(nodes: Nodes, redis: Redis) -> None:
    one, _ = nodes
    await one.app.make_users(*(f"u{number}" for number in range(60)))
    await asyncio.gather(*(one.connect(f"u{number}") for number in range(60)))
    await rounds(one)
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    one.world.clock.advance(timedelta(seconds=BEAT))
    await one.presence._put(set(one.presence._locals))
    after = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert after - before == 4, "by the parts of an app, not by its connections"


async def test_each_is_said_again_within_a_heartbeat_few_at_a_time(nodes: Nodes) -> None:
    one, _ = nodes
    users = [f"u{number}" for number in range(40)]
    await one.app.make_users(*users)
    await asyncio.gather(*(one.connect(user) for user in users))
    await rounds(one)
    said: list[list[str]] = []
    put = one.presence._store.put

    def counted(puts: Any) -> Any:
        said.append([each.user[1] for each in puts])
        return put(puts)

    one.presence._store.put = counted  # type: ignore[method-assign]
    newcomers = [f"n{number}" for number in range(4)]
    await one.app.make_users(*newcomers)
    for step in range(40):
        if step % 10 == 5:
            await one.connect(newcomers[step // 10])  # at the end of the line, in nobody's way
        one.world.clock.advance(timedelta(seconds=BEAT / 40))
        await rounds(one)
    assert max(len(some) for some in said) <= 3
    assert {*users} <= {user for some in said for user in some}
    again = [user for some in said for user in some if user in users]
    assert len(again) <= len(users) + len(newcomers), "the longer the line, the faster it goes"


async def test_when_thousands_were_active_is_written_little_by_little(nodes: Nodes, monkeypatch: Any) -> None:
    one, _ = nodes
    monkeypatch.setattr(tracker, "SAVED_AT_ONCE", 4)
    writes: list[int] = []
    save = tracker.save_activity

    async def counted(database: Any, active: Any) -> None:
        writes.append(len(active))
        await save(database, active)

    monkeypatch.setattr(tracker, "save_activity", counted)
    users = [f"u{number}" for number in range(50)]
    await one.app.make_users(*users)
    await asyncio.gather(*(one.connect(user) for user in users))
    await rounds(one)
    one.world.clock.advance(timedelta(seconds=SAVE))
    for _ in range(11):
        await rounds(one)
        one.world.clock.advance(timedelta(seconds=SAVE / 10))
    assert max(writes) <= 4
    assert len(writes) >= 10
    assert sum(writes) == 50
    stored = await one.app.fetch(
        "select count(*) as n from chat.presence where app_id = $1 and last_active_at is not null"
    )
    assert stored[0]["n"] == 50


async def test_who_was_active_twice_is_saved_when_the_process_stops(nodes: Nodes, monkeypatch: Any) -> None:
    one, _ = nodes
    monkeypatch.setattr(tracker, "SAVED_AT_ONCE", 1)
    *_, eve = [await one.enter(user) for user in ("alice", "bob", "eve")]
    one.world.clock.advance(timedelta(seconds=SAVE))
    await rounds(one)  # the first is written, the others wait for their turn
    one.leave(eve)
    await rounds(one)
    assert {*one.presence._saving} & {*one.presence._active}
    monkeypatch.setattr(tracker, "SAVED_AT_ONCE", 100)
    await one.presence.save()
    stored = await one.app.fetch("select user_id from chat.presence where app_id = $1")
    assert {"alice", "bob", "eve"} <= {row["user_id"] for row in stored}


async def test_without_redis_it_is_not_known_and_all_else_goes_on(nodes: Nodes) -> None:
    one, _ = nodes
    lost = Redis.from_url("redis://127.0.0.1:1")
    one.presence._store._script = lost.register_script("return 1")
    one.crowds._redis = lost
    alice = await one.connect("alice")
    answer = await one.ask(alice, "channel.watch", channel_id="a")
    assert (answer["channel"]["id"], answer["presence"], answer["watchers"]) == ("a", None, None)
    assert (await one.ask(alice, "presence.subscribe", user_ids=["bob"]))["error"]["code"] == "presence_away"
    await lost.aclose()
