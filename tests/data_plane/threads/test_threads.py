"""Threads: what is in them, who is told, what is unread; and the channel does not notice."""

import asyncio
from datetime import timedelta

import msgspec
import orjson
import pytest

from data_plane.log.entries import entry_from_row
from data_plane.threads.socket import socket_routes


@pytest.fixture
async def den(app):
    """A channel of ann (owner), bob and cid, with one message of ann's."""
    await app.make_users("ann", "bob", "cid", "eve")
    await app.make_channel("den", "bob", "cid", owner="ann")
    message, _, _ = await app.send("den", "ann", "hello")
    return message


async def say(app, user, text="hi", channel="den", **more):
    answer = await app.call("POST", f"/v1/channels/{channel}/messages", {"text": text, **more}, as_user=user)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["message"]


async def texts(app, path, user="ann", **params):
    page = (await app.call("GET", path, as_user=user, params=params)).json()
    return [message["text"] for message in page["messages"]]


async def inbox(app, user):
    answer = await app.call("GET", "/v1/threads", as_user=user)
    return [(t["message"]["text"], t["unread"], t["read_number"]) for t in answer.json()["threads"]]


async def test_a_reply_is_in_its_thread_and_not_in_the_channel_and_makes_nothing_unread_there(app, den):
    reply = await say(app, "bob", "in the thread", thread_id=den)
    assert (reply["thread_id"], reply["silent"], reply["number"]) == (den, True, 1)
    shown = await say(app, "cid", "in both", thread_id=den, also_in_channel=True)
    assert (shown["number"], shown["also_in_channel"]) == (2, True)
    await say(app, "bob", "plain")
    assert await texts(app, "/v1/channels/den/messages") == ["hello", "in both", "plain"]
    assert await texts(app, f"/v1/messages/{den}/replies") == ["in the thread", "in both"]
    around = {"around": reply["id"]}
    assert (await app.call("GET", "/v1/channels/den/messages", as_user="ann", params=around)).status_code == 404
    parent = (await app.call("GET", f"/v1/messages/{den}", as_user="ann")).json()["message"]
    assert (parent["reply_count"], parent["thread_participants"], parent["thread_participant_count"]) == (
        2,
        ["cid", "bob"],
        2,
    )
    assert parent["last_reply_at"] == shown["created_at"]
    page = (await app.call("GET", "/v1/channels/den/messages", as_user="ann")).json()["messages"]
    assert page[0] == parent
    read = await app.call("POST", "/v1/channels/den/read", {"number": 1}, as_user="ann")
    assert read.json()["unread"] == 2
    await app.check_logs()


async def test_replies_come_in_pages_on_both_sides_of_any_of_them(app, den):
    replies = [(await say(app, "bob", f"r{n}", thread_id=den, also_in_channel=n % 3 == 0))["id"] for n in range(7)]
    path = f"/v1/messages/{den}/replies"
    assert await texts(app, path, limit=3) == ["r4", "r5", "r6"]
    assert await texts(app, path, before=replies[4], limit=2) == ["r2", "r3"]
    assert await texts(app, path, after=replies[4]) == ["r5", "r6"]
    assert await texts(app, path, around=replies[3], limit=3) == ["r2", "r3", "r4"]
    assert (await app.call("GET", path, as_user="ann", params={"around": den})).status_code == 404
    assert (await app.call("GET", path, as_user="eve")).status_code == 404
    assert await texts(app, "/v1/channels/den/messages", limit=3) == ["r0", "r3", "r6"]
    assert await texts(app, f"/v1/messages/{replies[0]}/replies") == []


async def test_a_reply_to_a_reply_to_nothing_and_to_what_is_deleted_is_refused(app, den):
    reply = await say(app, "bob", thread_id=den)
    await app.make_channel("else", "bob", owner="ann")
    other, _, _ = await app.send("else", "ann")

    async def refused(**more):
        answer = await app.call("POST", "/v1/channels/den/messages", {"text": "x", **more}, as_user="bob")
        return answer.status_code, answer.json()["code"], answer.json().get("field")

    assert await refused(thread_id=reply["id"]) == (409, "nested_reply", None)
    assert await refused(thread_id=other) == (404, "not_found", "thread_id")
    assert await refused(also_in_channel=True) == (422, "invalid_input", "also_in_channel")
    await app.call("DELETE", f"/v1/messages/{den}", as_user="ann")
    assert await refused(thread_id=den) == (409, "message_deleted", None)
    assert await texts(app, f"/v1/messages/{den}/replies") == ["hi"]
    assert (await app.types("c:den"))[-2:] == ["message.created", "message.deleted"]


async def test_who_takes_part_has_the_thread_with_what_is_unread_in_it(app, world, den):
    second, _, _ = await app.send("den", "bob", "second")
    await say(app, "bob", thread_id=den)
    await say(app, "cid", thread_id=den)
    world.clock.advance(timedelta(seconds=1))
    await say(app, "cid", thread_id=second)
    assert await inbox(app, "ann") == [("hello", 2, 0)]
    assert await inbox(app, "bob") == [("second", 1, 0), ("hello", 1, 1)]
    assert await inbox(app, "cid") == [("second", 0, 1), ("hello", 0, 2)]
    first = await app.call("GET", "/v1/threads", params={"limit": 1, "user_id": "bob"})
    cursor = first.json()["next_cursor"]
    rest = await app.call("GET", "/v1/threads", as_user="bob", params={"limit": 1, "cursor": cursor})
    assert ([t["message"]["text"] for t in rest.json()["threads"]], rest.json()["next_cursor"]) == (["hello"], None)

    read = await app.call("PUT", f"/v1/messages/{den}/thread/read", as_user="ann")
    assert read.json() == {
        "thread_id": den, "channel_id": "den", "read_number": 2, "last_number": 2, "unread": 0,
    }  # fmt: skip
    again = await app.call("PUT", f"/v1/messages/{den}/thread/read", as_user="ann")
    assert again.json() == read.json()
    assert (await app.types("u:ann")).count("thread.changed") == 1
    third = await say(app, "bob", thread_id=den)
    await say(app, "bob", thread_id=den)
    partly = await app.call("PUT", f"/v1/messages/{den}/thread/read", {"reply_id": third["id"]}, as_user="ann")
    assert (partly.json()["read_number"], partly.json()["unread"]) == (3, 1)
    assert (await app.call("PUT", f"/v1/messages/{second}/thread/read", as_user="ann")).status_code == 404
    assert (await app.call("PUT", f"/v1/messages/{den}/thread/read", as_user="eve")).status_code == 404
    route = socket_routes(world.shard)[0]
    position = await route.handle(app.user("ann"), msgspec.convert({"message_id": den}, route.payload))
    assert position["unread"] == 0
    await app.call("DELETE", "/v1/channels/den/members/cid", as_user="ann")
    assert await inbox(app, "cid") == []


async def test_deleting_a_reply_is_counted_and_told_with_its_thread(app, den):
    first = await say(app, "bob", "one", thread_id=den)
    await say(app, "bob", "two", thread_id=den)
    await app.call("DELETE", f"/v1/messages/{first['id']}", as_user="bob")
    parent = (await app.call("GET", f"/v1/messages/{den}", as_user="ann")).json()["message"]
    assert parent["reply_count"] == 1
    edited = await app.call("PATCH", f"/v1/messages/{first['id']}", {"text": "x"}, as_user="bob")
    assert edited.json()["code"] == "message_deleted"
    told = orjson.loads(app.world.published[-1].event)
    assert (told["type"], told["data"]["thread"]["reply_count"]) == ("message.deleted", 1)
    assert await inbox(app, "ann") == [("hello", 2, 0)]  # the numbers stay, as they do in a channel


async def test_the_events_replayed_and_live_end_where_a_fresh_look_begins(app, world, den):
    async def talk(user):
        for n in range(4):
            await say(app, user, f"{user}{n}", thread_id=den, also_in_channel=n == 2)

    await asyncio.gather(talk("ann"), talk("bob"), talk("cid"))
    events = [orjson.loads(entry.event) for entry in world.published if entry.log == "c:den"]
    assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)
    live = events[-1]["data"]["thread"]
    ranges = await world.shard.system.pool()
    rows = await ranges.fetch("select * from chat.read_ranges($1, $2, $3, $4)", [app.id], ["c:den"], [0], [2**40])
    replay = [orjson.loads(entry_from_row(row, "test").event) for row in rows]
    assert [(e["seq"], e["data"]["message"]["text"]) for e in replay if "thread" in e["data"]] == [
        (e["seq"], e["data"]["message"]["text"]) for e in events if "thread" in e["data"]
    ]
    assert all(e["data"]["thread"] == live for e in replay if "thread" in e["data"])
    fresh = (await app.call("GET", "/v1/threads", as_user="ann")).json()["threads"][0]
    assert fresh["thread"] == live
    assert (live["reply_count"], live["last_number"], live["participant_count"]) == (12, 12, 3)
    counted = await app.fetch("select count(*) as n from chat.messages where app_id = $1 and thread_id is not null")
    assert counted[0]["n"] == 12
    await app.check_logs()


async def test_the_same_reply_again_is_the_same_and_counts_once(app, den):
    id = app.world.shard.ids.new("msg")
    first = await say(app, "bob", "once", thread_id=den, id=id)
    again = await say(app, "bob", "once", thread_id=den, id=id)
    assert first == again
    taken = await app.call("POST", "/v1/channels/den/messages", {"text": "once", "id": id}, as_user="bob")
    assert taken.json()["code"] == "message_id_taken"
    both = await asyncio.gather(
        *(say(app, "cid", "twice", thread_id=den, id=app.world.shard.ids.new("msg")) for _ in "ab")
    )
    assert {m["thread_id"] for m in both} == {den}
    parent = (await app.call("GET", f"/v1/messages/{den}", as_user="ann")).json()["message"]
    assert parent["reply_count"] == 3


async def test_who_does_not_wait_may_answer_what_it_has_just_sent(app, den):
    ids = [app.world.shard.ids.new("msg") for _ in range(2)]
    await asyncio.gather(
        say(app, "bob", "a", id=ids[0]),
        say(app, "bob", "b", id=ids[1], thread_id=ids[0]),
        say(app, "bob", "c", quoted_id=ids[0]),
    )
    assert await texts(app, f"/v1/messages/{ids[0]}/replies") == ["b"]


async def test_a_quote_shows_the_quoted_as_it_is_now(app, world, den):
    quoting = await say(app, "bob", "indeed", quoted_id=den)
    small = {"id": den, "seq": 5, "user_id": "ann", "text": "hello", "attachment_count": 0, "deleted": False}
    assert (quoting["quoted_id"], quoting["quoted"]) == (den, small)
    await app.call("PATCH", f"/v1/messages/{den}", {"text": "x" * 300, "attachments": [{"a": 1}]}, as_user="ann")
    one = (await app.call("GET", f"/v1/messages/{quoting['id']}", as_user="cid")).json()["message"]
    assert one["quoted"] == {**small, "text": "x" * 200, "attachment_count": 1}
    edited = await app.call("PATCH", f"/v1/messages/{quoting['id']}", {"text": "still"}, as_user="bob")
    assert edited.json()["message"]["quoted"]["text"] == "x" * 200
    await app.call("DELETE", f"/v1/messages/{den}", as_user="ann")
    page = (await app.call("GET", "/v1/channels/den/messages", as_user="cid")).json()["messages"]
    assert page[-1]["quoted"] == {**small, "text": "", "deleted": True}
    await app.make_channel("else", "bob", owner="ann")
    bad = await app.call("POST", "/v1/channels/else/messages", {"text": "x", "quoted_id": den}, as_user="bob")
    assert (bad.status_code, bad.json()["field"]) == (404, "quoted_id")


async def test_mentions_of_members_are_kept_and_what_is_unread_of_them_is_counted(app, den):
    async def unread(user, number=0):
        """From a position on, in the channel, which is all that there is."""
        await app.fetch(
            "update chat.members set read_number = $3 where app_id = $1 and user_id = $2 returning 1", user, number
        )
        sums = (await app.call("GET", "/v1/unread", as_user=user)).json()
        assert sums["mentions"] == sum(each["mentions"] for each in sums["channels"])
        assert sums["by_type"].get("group", {"mentions": 0})["mentions"] == sums["mentions"]
        return sums["mentions"]

    await app.call("PUT", "/v1/channels/den/members/cid", {"role": "moderator"})
    one = await say(app, "ann", "you", mentions={"users": ["bob", "eve", "bob"]})
    assert one["mentions"] == {"users": ["bob"]}
    nobody = await say(app, "ann", "nobody", mentions={"users": ["eve"]})
    assert "mentions" not in nobody
    await say(app, "ann", "all and you", mentions={"users": ["bob"], "channel": True})
    await say(app, "ann", "those", mentions={"roles": ["moderator"]})
    await say(app, "ann", "present", mentions={"here": True})
    await say(app, "ann", "quietly", silent=True, mentions={"users": ["bob"]})
    assert await unread("bob") == 2
    assert await unread("cid") == 2
    assert await unread("ann", 6) == 0
    assert await unread("bob", 3) == 1
    assert await unread("bob", 4) == 0
    await say(app, "bob", "in a thread", thread_id=den, mentions={"users": ["cid"]})
    assert await inbox(app, "cid") == [("hello", 1, 0)]
    bad = await app.call("POST", "/v1/channels/den/messages", {"text": "x", "mentions": {"roles": ["member"]}})
    assert bad.status_code in (403, 422)


async def test_the_many_and_the_systems_voice_take_a_permission(app, den):
    await app.call("PATCH", "/v1/channels/den", {"grants": {"member": ["message.send"], "owner": ["message.send"]}})

    async def code(user, **more):
        body = {"text": "x", **more} | ({} if user else {"user_id": "ann"})
        answer = await app.call("POST", "/v1/channels/den/messages", body, as_user=user)
        return answer.json().get("permission") if answer.is_error else answer.json()["message"].get("system")

    assert await code("bob", mentions={"channel": True}) == "message.mention.many"
    assert await code("bob", mentions={"users": ["ann"]}) is None
    assert await code("bob", system=True) == "message.system"
    assert await code(None, system=True, mentions={"channel": True}) is True
    await app.call("PATCH", "/v1/channels/den", {"grants": {"member": ["message.send", "message.system"]}})
    assert await code("bob", system=True) is True
    assert (await app.call("GET", "/v1/channels/den", as_user="cid")).json()["last_number"] == 2


async def test_a_message_that_needs_two_permissions_needs_both(app, den):
    both = {"system": True, "mentions": {"channel": True}}
    for granted, lacking in (
        (["message.system"], "message.mention.many"),
        (["message.mention.many"], "message.system"),
        (["message.mention.many", "message.system"], None),
    ):
        grants = {"member": ["message.send", *granted], "user": []}
        await app.call("PATCH", "/v1/channels/den", {"grants": grants})
        answer = await app.call("POST", "/v1/channels/den/messages", {"text": "x", **both}, as_user="bob")
        assert answer.json().get("permission") == lacking, granted


async def test_what_lies_before_a_message_is_never_a_reply(app, den):
    """Its row stands below zero, where whoever looks for the message before the first one must not look."""
    await say(app, "bob", "unread by ann")
    await say(app, "cid", "aside", thread_id=den)
    back = await app.call("POST", "/v1/channels/den/unread", {"message_id": den}, as_user="cid")
    assert (back.json()["read_number"], back.json()["unread"]) == (0, 2)
    await app.call("POST", "/v1/channels/den/truncate", {"before": 1})
    assert (await app.call("GET", "/v1/channels/den", as_user="cid")).json()["membership"]["unread"] == 2


async def test_a_hard_truncation_takes_the_threads_too(app, den):
    reply = await say(app, "bob", "secret", thread_id=den, mentions={"users": ["cid"]})
    quoting = await say(app, "bob", "kept", quoted_id=den)
    await app.call("POST", "/v1/channels/den/truncate", {"before": quoting["seq"], "hard": True})
    pool = await app.world.shard.system.pool()
    wipe = "select chat.wipe_truncated($1, 'den', $2, $3, 2, $4)"
    after = 0
    while after is not None:
        after = await pool.fetchval(wipe, app.id, after, quoting["seq"], app.world.clock.now())
    rows = await app.fetch("select text, extra from chat.messages where app_id = $1 order by abs(seq)")
    assert [row["text"] for row in rows] == ["", "", "kept"]
    assert await app.fetch("select 1 from chat.thread_members where app_id = $1") == []
    assert (await app.call("GET", f"/v1/messages/{reply['id']}", as_user="bob")).status_code == 404


async def test_a_purged_channel_keeps_nothing_of_its_threads(app, den):
    reply = await say(app, "bob", "secret", thread_id=den, mentions={"users": ["cid"]})
    await say(app, "bob", "too", mentions={"users": ["cid"]})
    await app.call("DELETE", "/v1/channels/den", as_user="ann")
    pool = await app.world.shard.system.pool()
    await pool.fetchval("select chat.wipe_channel($1, 'den', 0, 1000, $2)", app.id, app.world.clock.now())
    for table in ("thread_members", "mentions"):
        assert await app.fetch(f"select 1 from chat.{table} where app_id = $1") == []
    rows = await app.fetch("select text, extra from chat.messages where app_id = $1")
    assert {(row["text"], row["extra"]) for row in rows} == {("", None)}
    assert reply
