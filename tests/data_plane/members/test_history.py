"""What a member sees of what was said before it came: everywhere, or nowhere."""

import orjson
import pytest

from data_plane.log import LogKey
from data_plane.sync.service import SyncService


@pytest.fixture
async def den(app):
    """Two messages, then Bob comes, then a third; the channel hides what was before. Ann owns it."""
    await app.make_users("ann", "bob", "cid", "dan")
    await app.make_channel("den", owner="ann", history="joined")
    old = [(await app.send("den", "ann", text))[0] for text in ("one", "two")]
    added = await app.call("POST", "/v1/channels/den/members", {"user_ids": ["bob"]}, as_user="ann")
    assert added.status_code == 201
    return [*old, (await app.send("den", "ann", "three"))[0]]


async def page(app, user, **params):
    answer = await app.call("GET", "/v1/channels/den/messages", params=params, as_user=user)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [message["text"] for message in body["messages"]], body["has_before"], body["has_after"]


async def test_history_of_a_member_begins_where_it_joined(app, den):
    assert await page(app, "bob") == (["three"], False, False)
    assert await page(app, "ann") == (["one", "two", "three"], False, False)
    assert await page(app, "bob", after=0) == (["three"], False, False)
    assert await page(app, "bob", after=0, limit=1) == (["three"], False, False)
    assert await page(app, "bob", before=1) == ([], False, True)
    assert await page(app, "bob", around=2) == (["three"], False, False)
    for anchor in ("before", "after", "around"):
        for hidden in den[:2]:
            answer = await app.call("GET", "/v1/channels/den/messages", params={anchor: hidden}, as_user="bob")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), anchor
    assert await page(app, "bob", around=den[2]) == (["three"], False, False)


async def test_a_member_who_sees_nothing_yet_has_an_empty_page(app, den):
    await app.call("PUT", "/v1/channels/den/members/cid", as_user="ann")
    assert await page(app, "cid") == ([], False, False)
    answer = await app.call("GET", "/v1/channels/den/messages", params={"around": den[2]}, as_user="cid")
    assert answer.status_code == 404


async def test_a_single_message_from_before_is_no_message(app, den):
    for hidden in den[:2]:
        assert (await app.call("GET", f"/v1/messages/{hidden}", as_user="bob")).status_code == 404
        read = await app.call("POST", "/v1/channels/den/read", {"message_id": hidden}, as_user="bob")
        assert read.status_code == 404
    assert (await app.call("GET", f"/v1/messages/{den[2]}", as_user="bob")).status_code == 200
    assert (await app.call("GET", f"/v1/messages/{den[0]}")).status_code == 200


async def test_sync_and_live_pass_over_changes_of_what_was_before(app, world, den):
    sync = SyncService(world.shard)
    cursor = (await sync.fresh(app.id, "bob"))["cursor"]
    await app.call("PATCH", f"/v1/messages/{den[0]}", {"text": "secret"}, as_user="ann")
    await app.call("PATCH", f"/v1/messages/{den[2]}", {"text": "open"}, as_user="ann")

    async def told(user):
        answer = orjson.loads(orjson.dumps(await sync.since(app.id, user, cursor, limit=100)))
        return [(e["type"], e["data"].get("message", {}).get("text")) for e in answer["events"]]

    assert await told("bob") == [("event.skipped", None), ("message.updated", "open")]
    assert await told("ann") == [("message.updated", "secret"), ("message.updated", "open")]
    edits = [entry for entry in world.published if entry.type == "message.updated"]
    assert [entry.position for entry in edits] == [3, 6]
    joined = next(e for e in world.published if e.type == "membership.added" and e.key == LogKey(app.id, "u:bob"))
    assert (joined.subject, joined.position, joined.first_seq) == ("den", 5, 5)


async def test_who_adds_may_show_or_hide_what_was_before_but_no_more_than_it_sees(app, den):
    await app.call("POST", "/v1/channels/den/members", {"user_ids": ["cid"], "history": "all"}, as_user="ann")
    assert await page(app, "cid") == (["one", "two", "three"], False, False)
    await app.call("PUT", "/v1/channels/den/members/bob", {"role": "admin"}, as_user="ann")
    await app.call("PUT", "/v1/channels/den/members/dan", {"history": "all"}, as_user="bob")
    assert await page(app, "dan") == (["three"], False, False)
    await app.call("DELETE", "/v1/channels/den/members/dan", as_user="ann")
    await app.call("PUT", "/v1/channels/den/members/dan", {"history": "joined"})
    assert await page(app, "dan") == ([], False, False)
    bad = await app.call("PUT", "/v1/channels/den/members/dan", {"history": "some"})
    assert (bad.status_code, "history" in bad.text) == (422, True)


async def test_who_only_watches_sees_nothing_that_is_stored(app, den):
    await app.make_channel("show", owner=None, type="livestream", history="joined", members=["ann"])
    await app.send("show", "ann", "before")
    answer = await app.call("GET", "/v1/channels/show/messages", as_user="cid")
    assert (answer.status_code, answer.json()["messages"]) == (200, [])
    await app.call("PATCH", "/v1/channels/show", {"history": "all"})
    answer = await app.call("GET", "/v1/channels/show/messages", as_user="cid")
    assert [m["text"] for m in answer.json()["messages"]] == ["before"]


async def test_a_channel_begins_with_what_its_type_says_and_may_change_it(app):
    await app.make_users("ann", "bob")
    made = await app.call("PUT", "/v1/channel-types/club", {"grants": {}, "history": "joined", "slow_mode": 5})
    assert (made.json()["history"], made.json()["slow_mode"]) == ("joined", 5)
    await app.make_channel("den", owner="ann", type="club")
    await app.make_channel("open", owner="ann", type="club", history="all", slow_mode=0)
    den = (await app.call("GET", "/v1/channels/den", as_user="ann")).json()
    assert (den["history"], den["slow_mode"], den["membership"]["history_from"]) == ("joined", 5, 0)
    assert (await app.call("GET", "/v1/channels/open")).json()["history"] == "all"
    changed = await app.call("PATCH", "/v1/channels/den", {"history": "all"}, as_user="ann")
    assert changed.json()["history"] == "all"
    assert (await app.log("c:den"))[-1]["data"]["changed"] == ["history"]
    await app.call("PUT", "/v1/channels/den/members/bob", as_user="ann")
    assert (await app.call("PATCH", "/v1/channels/den", {"history": "joined"}, as_user="bob")).status_code == 403
