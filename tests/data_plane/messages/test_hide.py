"""Messages that somebody deletes for itself alone."""

import orjson
import pytest

from data_plane.channels.everything import channels_of_user
from tests.data_plane.log.test_changes import read_all


@pytest.fixture
async def den(app):
    """A channel of ann (owner), bob and cid, with three messages of ann's; their ids."""
    await app.make_users("ann", "bob", "cid", "eve")
    await app.make_channel("den", "bob", "cid", owner="ann")
    return [(await app.send("den", "ann", f"text {n}"))[0] for n in range(3)]


async def hide(app, message, user="bob", body=None):
    answer = await app.call("POST", f"/v1/messages/{message}/hide", body, as_user=user)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def texts(app, user, **params):
    page = await app.call("GET", "/v1/channels/den/messages", as_user=user, params=params)
    return [message["text"] for message in page.json()["messages"]]


async def membership(app, user):
    return (await app.call("GET", "/v1/channels/den", as_user=user)).json()["membership"]


async def unread(app, user):
    """As every route counts it, which must be the same."""
    sums = (await app.call("GET", "/v1/unread", as_user=user)).json()
    fresh = (await channels_of_user(app.world.shard, app.id, user)).channels
    listed = (await app.call("GET", "/v1/channels", as_user=user)).json()["channels"]
    queried = (await app.call("POST", "/v1/channels/query", {}, as_user=user)).json()["channels"]
    found = {channel["membership"]["unread"] for each in (fresh, listed, queried) for channel in each}
    assert found == {sums["total"]} == {(await membership(app, user))["unread"]}
    return sums["total"]


async def test_who_hides_a_message_sees_it_nowhere_and_all_others_do(app, den):
    hidden = await hide(app, den[1])
    assert hidden == {
        "channel_id": "den", "message_id": den[1], "number": 2, "thread_id": None, "reply_number": None,
    }  # fmt: skip
    assert await texts(app, "bob") == ["text 0", "text 2"]
    assert await texts(app, "bob", around=den[0]) == ["text 0", "text 2"]
    assert await texts(app, "ann") == await texts(app, None) == ["text 0", "text 1", "text 2"]
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"text": "x"}), ("DELETE", "", None), ("PUT", "/reactions/ok", None),
        ("GET", "/reactions", None), ("GET", "/replies", None), ("GET", "/versions", None), ("POST", "/restore", None),
    ):  # fmt: skip
        assert (await app.call(method, f"/v1/messages/{den[1]}{path}", body, as_user="bob")).status_code == 404
    assert (await app.call("GET", f"/v1/messages/{den[1]}", as_user="cid")).json()["message"]["text"] == "text 1"


async def test_it_is_told_in_the_own_log_once_and_nowhere_else(app, den):
    log = await app.types("c:den")
    assert await hide(app, den[1]) == await hide(app, den[1]) == await hide(app, den[1], None, {"user_id": "bob"})
    assert await app.types("c:den") == log
    own = [entry for entry in await app.log("u:bob") if entry["type"] == "message.hidden"]
    assert [entry["data"]["message_id"] for entry in own] == [den[1]]


async def test_members_hide_and_nobody_else(app, den):
    for user, body in (("eve", None), (None, {"user_id": "eve"}), (None, {"user_id": "nobody"})):
        answer = await app.call("POST", f"/v1/messages/{den[1]}/hide", body, as_user=user)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    unnamed = await app.call("POST", f"/v1/messages/{den[1]}/hide")
    assert unnamed.status_code in (403, 422)


async def test_what_is_hidden_is_not_unread_and_a_mark_does_not_bring_it_back(app, den):
    assert await unread(app, "bob") == 3
    await hide(app, den[1])
    assert await unread(app, "bob") == 2
    assert (await membership(app, "bob"))["hidden_numbers"] == [2]
    read = (await app.call("POST", "/v1/channels/den/read", {"number": 1}, as_user="bob")).json()
    assert (read["unread"], read["hidden_numbers"]) == (1, [2])
    assert await unread(app, "bob") == 1
    read = (await app.call("POST", "/v1/channels/den/read", as_user="bob")).json()
    assert read["unread"] == 0 and "hidden_numbers" not in read
    assert "hidden_numbers" not in await membership(app, "bob")
    marked = (await app.call("POST", "/v1/channels/den/unread", {"number": 1}, as_user="bob")).json()
    assert (marked["unread"], marked["hidden_numbers"]) == (2, [2])
    assert await unread(app, "bob") == 2
    told = [entry["data"] for entry in await app.log("u:bob") if entry["type"] == "unread.changed"]
    assert [(data["unread"], data.get("hidden_numbers")) for data in told] == [(1, [2]), (0, None), (2, [2])]
    for message in (den[0], den[2]):
        await hide(app, message)
    assert await unread(app, "bob") == 0
    sums = (await app.call("GET", "/v1/unread", as_user="bob")).json()
    assert (sums["channels_unread"], sums["channels"]) == (0, [])
    await app.send("den", "ann", "one more")
    assert await unread(app, "bob") == 1


async def test_a_mention_in_a_hidden_message_is_not_counted(app, den):
    body = {"text": "bob?", "mentions": {"users": ["bob"]}, "user_id": "ann"}
    mention = (await app.call("POST", "/v1/channels/den/messages", body)).json()["message"]["id"]
    await app.call("POST", "/v1/channels/den/messages", body)
    await hide(app, mention)
    assert (await app.call("GET", "/v1/unread", as_user="bob")).json()["mentions"] == 1


async def test_hidden_replies_and_threads_are_read_and_counted_no_more(app, den):
    await app.call("POST", "/v1/channels/den/messages", {"text": "so?", "thread_id": den[0]}, as_user="bob")
    replies = [
        (await app.call("POST", "/v1/channels/den/messages", {"text": f"reply {n}", "thread_id": den[0]},
                        as_user="ann")).json()["message"]["id"]
        for n in range(3)
    ]  # fmt: skip
    hidden = await hide(app, replies[1])
    assert (hidden["number"], hidden["thread_id"], hidden["reply_number"]) == (None, den[0], 3)
    page = (await app.call("GET", f"/v1/messages/{den[0]}/replies", as_user="bob")).json()["messages"]
    assert [message["text"] for message in page] == ["so?", "reply 0", "reply 2"]

    async def threads():
        sums = (await app.call("GET", "/v1/unread", as_user="bob")).json()
        listed = (await app.call("GET", "/v1/threads", as_user="bob")).json()["threads"]
        assert sum(thread["unread"] for thread in listed) == sums["thread_replies"]
        return sums["thread_replies"], sums["threads_unread"], len(listed)

    assert await threads() == (2, 1, 1)
    path = f"/v1/messages/{den[0]}/thread/read"
    assert (await app.call("PUT", path, {"reply_id": replies[0]}, as_user="bob")).json()["unread"] == 1
    await hide(app, replies[2])
    assert await threads() == (0, 0, 1)
    await app.call("POST", "/v1/channels/den/messages", {"text": "more", "thread_id": den[0]}, as_user="ann")
    assert await threads() == (1, 1, 1)
    await hide(app, den[0])
    assert await threads() == (0, 0, 0)


async def test_sync_gives_the_place_of_a_hidden_message_and_not_what_it_says(app, world, den):
    start = await world.shard.reader.horizon()
    sent = (await app.call("POST", "/v1/channels/den/messages", {"text": "secret", "user_id": "ann"})).json()["message"]
    await app.call("PUT", f"/v1/messages/{sent['id']}/reactions/ok", as_user="ann")
    await hide(app, sent["id"])
    await app.call("PATCH", f"/v1/messages/{sent['id']}", {"text": "secret too"})
    for user, text in (("bob", ""), ("ann", "secret too")):
        entries, _ = await read_all(app, user, start, limit=2)
        events = [orjson.loads(entry.event) for entry in entries if entry.log == "c:den"]
        assert [event["type"] for event in events] == ["message.created", "reaction.added", "message.updated"]
        for event in (events[0], events[2]):
            message = event["data"]["message"]
            assert (message["text"], message.get("hidden"), message["number"]) == (text, text == "" or None, 4)
    assert b"secret" not in b"".join(entry.event for entry in (await read_all(app, "bob", start, limit=9))[0])


async def test_whoever_comes_back_sees_all_again(app, den):
    await hide(app, den[1])
    await hide(app, den[1], "cid")
    await app.call("POST", "/v1/channels/den/leave", as_user="bob")
    await app.call("POST", "/v1/channels/den/members", {"user_ids": ["bob"]})
    assert await texts(app, "bob") == ["text 0", "text 1", "text 2"]
    assert await texts(app, "cid") == ["text 0", "text 2"]
    marked = await app.call("POST", "/v1/channels/den/unread", {"number": 1}, as_user="bob")
    assert marked.json()["unread"] == await unread(app, "bob") == 3


async def test_what_is_purged_stays_hidden(app, den):
    await hide(app, den[1])
    await app.call("DELETE", f"/v1/messages/{den[1]}", params={"hard": True})
    assert await texts(app, "bob") == ["text 0", "text 2"]
    assert await texts(app, "cid") == ["text 0", "", "text 2"]
