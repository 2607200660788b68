"""Messages that are deleted and come back."""

import pytest

from kernel.ids import parse_id


@pytest.fixture
async def den(app):
    """A channel of ann (owner), bob and cid, with one message of bob's."""
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", "bob", "cid", owner="ann")
    message, _, _ = await app.send("den", "bob", "hello")
    return message


async def delete(app, message, user, **params):
    answer = await app.call("DELETE", f"/v1/messages/{message}", as_user=user, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["message"]


async def restore(app, message, user=None, body=None):
    return await app.call("POST", f"/v1/messages/{message}/restore", body, as_user=user)


async def test_a_deleted_message_comes_back_as_it_was(app, den):
    await app.call("PATCH", f"/v1/messages/{den}", {"text": "hi", "custom": {"a": 1}}, as_user="bob")
    before = (await app.call("GET", f"/v1/messages/{den}", as_user="ann")).json()
    await delete(app, den, "bob")
    back = await restore(app, den, "bob")
    assert (back.status_code, back.json()) == (200, before)
    assert (await app.types("c:den"))[-2:] == ["message.deleted", "message.restored"]
    assert (await app.log("c:den"))[-1]["actor"] == "bob"
    again = await restore(app, den, "bob")
    assert (again.status_code, again.json()) == (200, before)
    assert (await app.types("c:den"))[-1] == "message.restored"
    versions = await app.call("GET", f"/v1/messages/{den}/versions", as_user="bob")
    assert [each["text"] for each in versions.json()["versions"]] == ["hello"]


async def test_who_wrote_and_deleted_it_restores_it_and_a_moderator_restores_all(app, den):
    await delete(app, den, "bob")
    refused = await restore(app, den, "cid")
    assert (refused.status_code, refused.json()["permission"]) == (403, "message.restore.any")
    assert (await restore(app, den, "bob")).status_code == 200
    await delete(app, den, "ann")
    refused = await restore(app, den, "bob")  # what a moderator took away, its author does not bring back
    assert (refused.status_code, refused.json()["permission"]) == (403, "message.restore.any")
    assert (await restore(app, den, "ann")).status_code == 200
    await delete(app, den, None)
    assert (await restore(app, den, "bob")).status_code == 403
    assert (await restore(app, den, None, {"user_id": "ann"})).status_code == 200
    assert (await app.log("c:den"))[-1]["actor"] == "ann"
    assert (await restore(app, den, None, {"user_id": "joe"})).json()["code"] == "unknown_users"


async def test_a_frozen_channel_keeps_deleted_what_is_deleted(app, den):
    await delete(app, den, "bob")
    await app.call("PATCH", "/v1/channels/den", {"frozen": True})
    assert (await restore(app, den, "bob")).json()["code"] == "channel_frozen"
    assert (await restore(app, den)).status_code == 200


async def test_a_restored_message_has_no_reactions_left(app, den):
    await app.call("PUT", f"/v1/messages/{den}/reactions/ok", as_user="ann")
    await delete(app, den, "bob")
    message = (await restore(app, den, "bob")).json()["message"]
    assert "reactions" not in message
    assert message == (await app.call("GET", "/v1/channels/den/messages", as_user="ann")).json()["messages"][-1]
    assert (await app.call("GET", f"/v1/messages/{den}/reactions")).json()["reactions"] == []
    once_more = await app.call("PUT", f"/v1/messages/{den}/reactions/ok", as_user="ann")
    assert once_more.json()["message"]["reactions"] == {"ok": 1}


async def test_a_thread_counts_a_reply_that_comes_back(app, den):
    body = {"text": "yes", "thread_id": den}
    reply = (await app.call("POST", "/v1/channels/den/messages", body, as_user="ann")).json()["message"]["id"]

    async def replies():
        return (await app.call("GET", f"/v1/messages/{den}")).json()["message"]["reply_count"]

    await delete(app, reply, "ann")
    assert await replies() == 0
    await restore(app, reply, "ann")
    await restore(app, reply, "ann")
    assert await replies() == 1


async def test_a_hard_deletion_leaves_a_place_and_nothing_else(app, den):
    body = {"text": "secret", "attachments": [{"url": "secret"}], "custom": {"a": "secret"}, "user_id": "bob"}
    body |= {"mentions": {"users": ["ann"]}, "quoted_id": den}
    sent = (await app.call("POST", "/v1/channels/den/messages", body)).json()["message"]
    await app.call("PATCH", f"/v1/messages/{sent['id']}", {"text": "secret too"}, as_user="bob")
    await app.call("PUT", f"/v1/messages/{sent['id']}/reactions/secret", as_user="ann")
    quoting = {"text": "what?", "quoted_id": sent["id"]}
    await app.call("POST", "/v1/channels/den/messages", quoting, as_user="ann")
    assert (await app.call("GET", "/v1/unread", as_user="ann")).json()["mentions"] == 0  # her own message read it
    await app.call("POST", "/v1/channels/den/unread", {"number": 1}, as_user="ann")
    assert (await app.call("GET", "/v1/unread", as_user="ann")).json()["mentions"] == 1

    refused = await app.call("DELETE", f"/v1/messages/{sent['id']}", as_user="bob", params={"hard": True})
    assert (refused.status_code, refused.json()["permission"]) == (403, "message.purge.own")
    left = await delete(app, sent["id"], "ann", hard=True)
    place = {name: sent[name] for name in ("id", "seq", "number", "user_id", "channel_id", "created_at")}
    assert {name: left[name] for name in place} == place
    assert (left["text"], left["attachments"], left["custom"], left["purged"]) == ("", [], {}, True)
    assert not left.keys() & {"reactions", "mentions", "quoted", "quoted_id"}
    history = (await app.call("GET", "/v1/channels/den/messages", as_user="cid")).json()["messages"]
    assert [message["seq"] for message in history] == sorted(message["seq"] for message in history)
    assert history[1] == left
    assert (history[2]["quoted"]["deleted"], history[2]["quoted"]["text"]) == (True, "")
    assert (await app.call("GET", "/v1/unread", as_user="ann")).json() | {"by_type": 0, "channels": 0} == {
        "total": 3, "channels_unread": 1, "mentions": 0, "thread_replies": 0, "threads_unread": 0, "by_type": 0,
        "muted": {"unread": 0, "channels": 0, "mentions": 0}, "channels": 0, "next_cursor": None,
    }  # fmt: skip
    stored = await app.fetch(
        "select m::text as row from chat.messages m where app_id = $1 union all "
        "select e::text from chat.message_edits e where app_id = $1 union all "
        "select r::text from chat.reactions r where app_id = $1 union all "
        "select x::text from chat.mentions x where app_id = $1"
    )
    assert not [row["row"] for row in stored if "secret" in row["row"]]


async def test_what_is_purged_is_not_restored_and_not_counted_again(app, den):
    body = {"text": "yes", "thread_id": den}
    reply = (await app.call("POST", "/v1/channels/den/messages", body, as_user="ann")).json()["message"]["id"]
    await delete(app, reply, "ann")
    log = await app.types("c:den")
    first = await delete(app, reply, None, hard=True)
    assert await delete(app, reply, None, hard=True) == await delete(app, reply, "ann") == first
    assert await app.types("c:den") == [*log, "message.deleted"]
    assert (await restore(app, reply)).json()["code"] == "message_purged"
    root = (await app.call("GET", f"/v1/messages/{den}")).json()["message"]
    assert (root["reply_count"], root["thread_participant_count"]) == (0, 1)
    replies = (await app.call("GET", f"/v1/messages/{den}/replies", as_user="bob")).json()["messages"]
    assert replies == [first]
    usage = await app.fetch("select coalesce(sum(quantity), 0) as sent from chat.usage_outbox "
                            "where app_id = $1 and meter = 'messages'")  # fmt: skip
    assert usage[0]["sent"] == 2


async def test_the_thread_of_a_purged_message_goes_on_being_read(app, den):
    body = {"text": "yes", "thread_id": den}
    await app.call("POST", "/v1/channels/den/messages", body, as_user="ann")
    await delete(app, den, None, hard=True)
    (thread,) = (await app.call("GET", "/v1/threads", as_user="bob")).json()["threads"]
    assert (thread["unread"], thread["thread"]["reply_count"], thread["message"]["purged"]) == (1, 1, True)
    more = await app.call("POST", "/v1/channels/den/messages", body, as_user="ann")
    assert more.json()["code"] == "message_deleted"


async def test_a_late_retry_of_the_send_of_a_purged_message_brings_nothing_back(app, den):
    await delete(app, den, None, hard=True)
    with pytest.raises(AssertionError, match="conflict"):
        await app.send("den", "bob", "hello", id=parse_id("msg", den))


async def test_who_was_mentioned_by_its_role_is_not_any_more(app, den):
    await app.call("PUT", "/v1/channels/den/members/cid", {"role": "moderator"})
    body = {"text": "help", "user_id": "bob", "mentions": {"roles": ["moderator"], "channel": True}}
    sent = [(await app.call("POST", "/v1/channels/den/messages", body)).json()["message"]["id"] for _ in range(2)]

    async def mentions(user):
        return (await app.call("GET", "/v1/unread", as_user=user)).json()["mentions"]

    assert (await mentions("cid"), await mentions("ann")) == (2, 2)
    await delete(app, sent[0], "bob")  # one that is deleted counts for as long as it is unread
    assert (await mentions("cid"), await mentions("ann")) == (2, 2)
    await delete(app, sent[0], None, hard=True)
    assert (await mentions("cid"), await mentions("ann")) == (1, 1)
