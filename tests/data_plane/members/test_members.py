"""Adding, changing, removing and listing members."""

import asyncio

import pytest

from data_plane.members.service import MemberService


async def test_an_owner_adds_members_who_start_without_unread(app):
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", owner="ann")
    await app.send("den", "ann")
    answer = await app.call("POST", "/v1/channels/den/members", {"user_ids": ["bob", "cid", "bob"]}, as_user="ann")
    assert answer.status_code == 201
    assert [(m["user_id"], m["role"]) for m in answer.json()["members"]] == [("bob", "member"), ("cid", "member")]
    log = await app.log("c:den")
    assert [(e["type"], e["seq"], e["data"].get("user_id")) for e in log[3:]] == [
        ("member.added", 4, "bob"),
        ("member.added", 5, "cid"),
    ]
    (told,) = await app.log("u:cid")
    assert (told["type"], told["data"]["from_seq"], told["actor"]) == ("membership.added", 5, "ann")
    channel = (await app.call("GET", "/v1/channels/den", as_user="cid")).json()
    assert told["data"]["channel"] == channel
    assert (channel["seq"], channel["last_number"], channel["member_count"]) == (5, 1, 3)
    assert (channel["membership"]["read_number"], channel["membership"]["unread"]) == (1, 0)
    rows = await app.fetch("select user_id, joined_seq from chat.members where app_id = $1 order by user_id")
    assert [tuple(row) for row in rows] == [("ann", 1), ("bob", 4), ("cid", 5)]


async def test_adding_a_member_again_changes_and_tells_nothing(app):
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", "bob", owner="ann")
    before = await app.log("c:den")
    assert (await app.call("PUT", "/v1/channels/den/members/bob", as_user="ann")).status_code == 200
    assert (await app.call("PUT", "/v1/channels/den/members/ann", as_user="ann")).json()["role"] == "owner"
    again = await app.call("POST", "/v1/channels/den/members", {"user_ids": ["bob"]}, as_user="ann")
    assert again.status_code == 200
    assert await app.log("c:den") == before
    mixed = await app.call("POST", "/v1/channels/den/members", {"user_ids": ["bob", "cid"]}, as_user="ann")
    assert (mixed.status_code, len(mixed.json()["members"])) == (201, 2)
    assert await app.types("u:bob") == ["membership.added"]


async def test_a_role_changes_by_put_and_is_told_to_the_channel(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", owner="ann")
    assert (await app.call("PUT", "/v1/channels/den/members/bob", {"role": "owner"})).status_code == 201
    changed = await app.call("PUT", "/v1/channels/den/members/bob", {"role": "member"}, as_user="ann")
    assert (changed.status_code, changed.json()["role"]) == (200, "member")
    last = (await app.log("c:den"))[-1]
    assert (last["type"], last["data"]) == ("member.updated", changed.json())
    assert (await app.call("PUT", "/v1/channels/den/members/bob", {"role": "king"})).status_code == 422


async def test_unknown_users_are_named_and_nobody_is_added(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", owner="ann")
    answer = await app.call("POST", "/v1/channels/den/members", {"user_ids": ["bob", "eve"]}, as_user="ann")
    assert (answer.status_code, answer.json()["user_ids"]) == (422, ["eve"])
    assert (await app.call("PUT", "/v1/channels/den/members/eve", as_user="ann")).status_code == 422
    assert await app.types("c:den") == ["channel.created", "member.added"]
    for bad in ([], ["x"] * 101, ["a b"]):
        assert (await app.call("POST", "/v1/channels/den/members", {"user_ids": bad})).status_code == 422


async def test_only_an_owner_or_the_server_adds_and_removes_others(app):
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", "bob", "cid", owner="ann")
    calls = [
        ("POST", "/v1/channels/den/members", {"user_ids": ["cid"]}),
        ("PUT", "/v1/channels/den/members/bob", {"role": "owner"}),
        ("DELETE", "/v1/channels/den/members/cid", None),
    ]
    for method, path, body in calls:
        answer = await app.call(method, path, body, as_user="bob")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    assert (await app.call("DELETE", "/v1/channels/den/members/cid", as_user="ann")).status_code == 204
    assert (await app.call("DELETE", "/v1/channels/den/members/bob")).status_code == 204


async def test_a_removal_is_in_both_logs_by_one_transaction(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    await app.call("DELETE", "/v1/channels/den/members/bob", as_user="ann")
    removed, told = (await app.log("c:den"))[-1], (await app.log("u:bob"))[-1]
    assert (removed["type"], removed["data"], removed["actor"]) == ("member.removed", {"user_id": "bob"}, "ann")
    assert (told["type"], told["data"]) == ("membership.removed", {"channel_id": "den", "seq": removed["seq"]})
    assert removed["xid"] == told["xid"]
    assert (await app.call("GET", "/v1/channels/den", as_user="bob")).status_code == 404
    # Removing again has nothing to do.
    assert (await app.call("DELETE", "/v1/channels/den/members/bob", as_user="ann")).status_code == 204
    assert (await app.log("c:den"))[-1] == removed


async def test_a_failed_removal_leaves_both_logs_alone(app, world):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    published = len(world.published)
    with pytest.raises(RuntimeError):
        async with world.shard.unit_of_work(app.id) as uow:
            await MemberService(world.shard).remove(uow, app.server, "den", "bob")
            raise RuntimeError
    assert (await app.call("GET", "/v1/channels/den", as_user="bob")).status_code == 200
    assert await app.types("u:bob") == ["membership.added"]
    assert len(world.published) == published


@pytest.mark.parametrize("way", ["post", "delete", "server"])
async def test_every_member_may_leave(app, way):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    if way == "post":
        answer = await app.call("POST", "/v1/channels/den/leave", as_user="bob")
    elif way == "delete":
        answer = await app.call("DELETE", "/v1/channels/den/members/bob", as_user="bob")
    else:
        assert (await app.call("POST", "/v1/channels/den/leave")).status_code == 403
        answer = await app.call("POST", "/v1/channels/den/leave", {"user_id": "bob"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await app.types("c:den"))[-1] == "member.removed"
    assert (await app.call("POST", "/v1/channels/den/leave", as_user="bob")).status_code == 404


async def test_leaving_with_a_key_can_be_repeated(app):
    await app.make_users("ann")
    await app.make_channel("den", "ann")
    for replayed in (None, "true"):
        answer = await app.call("POST", "/v1/channels/den/leave", as_user="ann", key="k1")
        assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (204, replayed)


async def test_the_members_of_a_direct_channel_do_not_change(app):
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("duo", "bob", owner="ann", type="direct")
    calls = [
        ("POST", "/v1/channels/duo/members", {"user_ids": ["cid"]}, None),
        ("PUT", "/v1/channels/duo/members/cid", None, None),
        ("PUT", "/v1/channels/duo/members/bob", {"role": "owner"}, None),
        ("DELETE", "/v1/channels/duo/members/bob", None, None),
        ("DELETE", "/v1/channels/duo/members/bob", None, "bob"),
        ("POST", "/v1/channels/duo/leave", None, "bob"),
    ]
    for method, path, body, user in calls:
        answer = await app.call(method, path, body, as_user=user)
        assert (answer.status_code, answer.json()["code"]) == (409, "direct_is_fixed"), path
    assert (await app.call("PUT", "/v1/channels/duo/members/cid", as_user="ann")).status_code == 409
    assert await app.types("c:duo") == ["channel.created", "member.added", "member.added"]


async def test_members_are_listed_in_pages(app):
    users = [f"u{n}" for n in range(5)]
    await app.make_users(*users)
    await app.make_channel("den", *users)
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await app.call("GET", "/v1/channels/den/members", as_user="u3", params=params)).json()
        seen += [member["user_id"] for member in page["members"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == users
    bad = await app.call("GET", "/v1/channels/den/members", params={"cursor": "bm90aGluZw"})
    assert (bad.status_code, bad.json()["field"]) == (422, "cursor")


async def test_racing_adds_removes_edits_and_reads_leave_no_gap(app, world):
    users = [f"u{n}" for n in range(6)]
    await app.make_users("ann", *users)
    await app.make_channel("one", *users[:3], owner="ann")
    await app.make_channel("two", *users[3:], owner="ann")
    message, _, _ = await app.send("one", "ann")

    async def work(n):
        channel, user = ("one", "two")[n % 2], users[n % 6]
        match n % 5:
            case 0:
                answer = await app.call("POST", f"/v1/channels/{channel}/members", {"user_ids": users}, as_user="ann")
            case 1:
                answer = await app.call("DELETE", f"/v1/channels/{channel}/members/{user}", as_user="ann")
            case 2:
                answer = await app.call("PATCH", f"/v1/messages/{message}", {"text": f"edit {n}"}, as_user="ann")
            case 3:
                await app.send(channel, "ann", f"message {n}")
                return 200
            case _:
                answer = await app.call("POST", f"/v1/channels/{channel}/read", as_user="ann")
        return answer.status_code

    statuses = await asyncio.gather(*(work(n) for n in range(60)))
    assert set(statuses) <= {200, 201, 204}
    await app.check_logs()
