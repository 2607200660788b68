"""Users are asked into channels, and receive nothing of them before they accept."""

import asyncio

import pytest

from data_plane.channels.jobs import ChannelJobs
from tests.data_plane.log.test_changes import read_all


@pytest.fixture
async def den(app):
    await app.make_users("ann", "bob", "cid", "dan")
    await app.make_channel("den", "bob", owner="ann", name="Den")
    return app


async def invite(app, *users, as_user="ann", **more):
    return await app.call("POST", "/v1/channels/den/invites", {"user_ids": list(users), **more}, as_user=as_user)


async def mine(app, user):
    page = await app.call("GET", "/v1/invites", as_user=user)
    assert page.status_code == 200, page.text
    return [(each["channel"]["id"], each["role"], each["invited_by"]) for each in page.json()["invites"]]


async def answer(app, what, user="cid"):
    return await app.call("POST", f"/v1/invites/den/{what}", {}, as_user=user)


async def test_who_is_invited_hears_of_it_and_of_nothing_else_until_it_accepts(den):
    app = den
    await app.send("den", "ann", "before")
    asked = await invite(app, "cid", "bob", "dan", custom={"desk": "4b"})
    assert asked.status_code == 201
    assert [each["user_id"] for each in asked.json()["invites"]] == ["cid", "dan"], "members are left out"
    await app.send("den", "ann", "meanwhile")
    entries, reached = await read_all(app, "cid", 0, limit=100)
    assert [entry.type for entry in entries] == ["invite.changed"]
    assert (await app.call("GET", "/v1/channels/den", as_user="cid")).status_code == 404
    assert await mine(app, "cid") == [("den", "member", "ann")]
    pending = (await app.call("GET", "/v1/channels/den/invites", as_user="ann")).json()["invites"]
    assert [(each["user_id"], each["state"]) for each in pending] == [("cid", "pending"), ("dan", "pending")]

    accepted = await answer(app, "accept")
    assert (accepted.status_code, accepted.json()["membership"]["role"]) == (200, "member")
    entries, _ = await read_all(app, "cid", reached, limit=100)
    assert [entry.type for entry in entries] == ["invite.changed", "membership.added", "member.added"]
    page = await app.call("GET", "/v1/channels/den/messages", as_user="cid")
    assert [message["text"] for message in page.json()["messages"]] == ["before", "meanwhile"]
    members = (await app.call("GET", "/v1/channels/den/members", as_user="cid")).json()["members"]
    assert [member["custom"] for member in members if member["user_id"] == "cid"] == [{"desk": "4b"}]
    assert await mine(app, "cid") == []
    assert (await answer(app, "accept")).status_code == 404, "it is over"


async def test_an_invite_that_is_rejected_or_taken_back_is_over_and_may_come_again(den):
    app = den
    await invite(app, "cid", "dan")
    again = await invite(app, "cid")
    assert (again.status_code, len(again.json()["invites"])) == (200, 1)
    assert (await answer(app, "reject")).status_code == 204
    assert (await answer(app, "reject")).status_code == 404
    assert (await app.call("DELETE", "/v1/channels/den/invites/dan", as_user="ann")).status_code == 204
    assert (await answer(app, "accept", "dan")).status_code == 404
    assert await app.types("u:dan") == ["invite.changed"] * 2
    assert (await app.log("u:dan"))[-1]["data"]["invite"]["state"] == "revoked"
    assert (await app.types("c:den"))[-1] == "member.added", "the channel hears of none of it"
    assert (await invite(app, "cid", role="guest")).status_code == 201
    assert await mine(app, "cid") == [("den", "guest", "ann")]


async def test_who_becomes_a_member_in_another_way_is_asked_no_more(den):
    app = den
    await invite(app, "cid", "dan")
    await app.call("PUT", "/v1/channels/den/members/cid", as_user="ann")
    assert await mine(app, "cid") == []
    await app.call("DELETE", "/v1/channels/den/members/cid", as_user="ann")
    assert (await mine(app, "cid"), (await answer(app, "accept")).status_code) == ([], 404)
    # Whoever says yes twice at once, or while somebody adds it, is a member once.
    ways = [answer(app, "accept", "dan") for _ in range(3)]
    ways.append(app.call("PUT", "/v1/channels/den/members/dan", as_user="ann"))
    answers = await asyncio.gather(*ways)
    assert all(each.status_code in (200, 201, 404) for each in answers)
    assert (await app.types("c:den")).count("member.added") == 4  # two founders, cid, dan
    await app.check_logs()


async def test_history_begins_where_whoever_asked_may_show_it(den):
    app = den
    await app.send("den", "ann", "before")
    await invite(app, "cid", history="joined")
    await app.send("den", "ann", "meanwhile")
    await answer(app, "accept")
    await app.send("den", "ann", "after")
    page = await app.call("GET", "/v1/channels/den/messages", as_user="cid")
    assert [message["text"] for message in page.json()["messages"]] == ["after"]


async def test_who_may_not_add_may_not_invite(den):
    app = den
    for refused, code in (
        (await invite(app, "cid", as_user="bob"), "permission_missing"),
        (await app.call("GET", "/v1/channels/den/invites", as_user="bob"), "permission_missing"),
        (await app.call("DELETE", "/v1/channels/den/invites/cid", as_user="bob"), "permission_missing"),
        (await invite(app, "cid", as_user="dan"), "not_found"),
        (await invite(app, "cid", "nobody"), "unknown_users"),
        (await invite(app, "cid", role="nothing"), "invalid_input"),
        (await answer(app, "accept", "dan"), "not_found"),
        (await app.call("GET", "/v1/invites"), "forbidden"),
    ):
        assert refused.json()["code"] == code, refused.text
    assert await app.types("u:cid") == []
    await app.make_channel("duo", "bob", owner="ann", distinct=True)
    fixed = await app.call("POST", "/v1/channels/duo/invites", {"user_ids": ["cid"]}, as_user="ann")
    assert fixed.json()["code"] == "distinct_is_fixed"
    await invite(app, "cid")
    await app.call("DELETE", "/v1/channels/den", as_user="ann")
    assert (await answer(app, "accept")).status_code == 404


async def test_with_a_channel_its_invites_end_and_everybody_is_told(den, world):
    app = den
    await invite(app, "cid", "dan")
    await app.call("DELETE", "/v1/channels/den", as_user="ann")
    target = {"app_id": str(app.id), "channel_id": "den"}
    for _ in range(2):
        async with world.shard.system.unit_of_work() as uow:
            await ChannelJobs(world.shard, members_batch=1).disband(uow, target)
    for user in ("cid", "dan"):
        assert await mine(app, user) == []
        assert await app.types(f"u:{user}") == ["invite.changed"] * 2
        assert (await app.log(f"u:{user}"))[-1]["data"]["invite"]["state"] == "revoked"


async def test_invites_page_without_skipping(den):
    app = den
    for name in ("c1", "c2", "c3"):
        await app.make_channel(name, owner="ann")
        body = {"user_ids": ["cid", "dan", "bob"]}
        assert (await app.call("POST", f"/v1/channels/{name}/invites", body)).status_code == 201

    async def pages(path, **who):
        found, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = (await app.call("GET", path, params={"limit": 2, **more}, **who)).json()
            found += [(each["channel"]["id"], each["user_id"]) for each in page["invites"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    assert await pages("/v1/invites", as_user="cid") == [("c1", "cid"), ("c2", "cid"), ("c3", "cid")]
    assert await pages("/v1/channels/c1/invites", as_user="ann") == [("c1", "bob"), ("c1", "cid"), ("c1", "dan")]
