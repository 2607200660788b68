"""What is kept with a membership: given when somebody is added, changed later, and asked by."""

from datetime import timedelta

import pytest


@pytest.fixture
async def team(app):
    await app.make_users("ann", "bob", "cid", "dan")
    await app.make_channel("c1", "bob", owner="ann")
    return app


async def keep(app, user_id, as_user=None, **wish):
    return await app.call("PATCH", f"/v1/channels/c1/members/{user_id}", wish, as_user=as_user)


async def test_custom_data_comes_with_new_members_and_stays_with_old_ones(team):
    app = team
    body = {"user_ids": ["bob", "cid"], "custom": {"desk": "4b"}}
    added = await app.call("POST", "/v1/channels/c1/members", body, as_user="ann")
    assert [member["custom"] for member in added.json()["members"]] == [{}, {"desk": "4b"}]
    put = await app.call("PUT", "/v1/channels/c1/members/dan", {"custom": {"n": 1}}, as_user="ann")
    assert (put.status_code, put.json()["custom"]) == (201, {"n": 1})
    again = await app.call("PUT", "/v1/channels/c1/members/dan", {"custom": {"n": 2}}, as_user="ann")
    assert (again.status_code, again.json()["custom"]) == (200, {"n": 1})
    large = await app.call("PUT", "/v1/channels/c1/members/dan", {"custom": {"n": "x" * 6_000}}, as_user="ann")
    assert (large.status_code, large.json()["field"]) == (422, "custom")


async def test_a_member_changes_its_own_and_who_may_changes_others(team, world):
    app = team
    before = len(world.published)
    changed = await keep(app, "bob", "bob", set={"a": 1, "b": {"c": []}})
    assert (changed.status_code, changed.json()["custom"]) == (200, {"a": 1, "b": {"c": []}})
    changed = await keep(app, "bob", "ann", set={"a": 2}, unset=["b", "nothing"])
    assert changed.json()["custom"] == {"a": 2}
    assert (await keep(app, "bob", set={"a": 2})).json()["custom"] == {"a": 2}
    told = [entry for entry in world.published[before:] if entry.type == "member.updated"]
    assert len(told) == 2, "what is so already is told nobody"
    refused = await keep(app, "ann", "bob", set={"a": 1})
    assert (refused.status_code, refused.json()["permission"]) == (403, "member.custom")
    for answer, field in (
        (await keep(app, "bob", "bob", set={"a": 1}, unset=["a"]), "unset"),
        (await keep(app, "bob", "bob", set={"a": "x" * 6_000}), "set"),
    ):
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert (await keep(app, "dan", set={"a": 1})).status_code == 404
    assert (await keep(app, "dan", "dan", set={"a": 1})).status_code == 404


async def test_members_are_asked_by_role_and_by_what_is_kept_with_them(team):
    app = team
    for user, role, desk in (("cid", "moderator", "4b"), ("dan", "member", "4b")):
        body = {"user_ids": [user], "role": role, "custom": {"desk": desk, "floor": 4}}
        assert (await app.call("POST", "/v1/channels/c1/members", body)).status_code == 201

    async def asked(filter, sort=()):
        body = {"filter": filter, "sort": list(sort), "explain": True}
        return await app.call("POST", "/v1/channels/c1/members/query", body, as_user="bob")

    found = (await asked({"custom.desk": "4b", "role": "moderator"})).json()
    assert [member["user_id"] for member in found["members"]] == ["cid"]
    assert (found["explain"]["index"], found["explain"]["scan"]) == ("members_by_role", False)
    found = (await asked({"custom.floor": {"$gte": 4}})).json()
    assert [member["user_id"] for member in found["members"]] == ["cid", "dan"]
    assert found["explain"]["scan"] is True
    assert "has no index" in found["explain"]["warnings"][0] and "/v1/indexes" not in found["explain"]["warnings"][0]
    refused = await asked({}, ["custom.floor"])
    assert (refused.status_code, refused.json()["path"]) == (422, "sort[0]")


async def test_a_users_channels_sort_by_their_last_message(team):
    app = team
    for name in ("c2", "c3", "c4"):
        app.world.clock.advance(timedelta(seconds=1))
        await app.make_channel(name, "ann")
    for name in ("c2", "c1"):
        app.world.clock.advance(timedelta(seconds=1))
        await app.send(name, "ann")

    async def page(sort, cursor=None, **more):
        body = {"sort": [sort], "limit": 3, "cursor": cursor, "explain": True, **more}
        return await app.call("POST", "/v1/channels/query", body, as_user=None if more else "ann")

    first = (await page("-last_message_at")).json()
    second = (await page("-last_message_at", first["next_cursor"])).json()
    ids = [channel["id"] for channel in first["channels"] + second["channels"]]
    assert ids == ["c1", "c2", "c4", "c3"], "one without messages stands where it was made"
    assert (first["explain"]["order"], first["explain"]["index"]) == ("sorted", "members_by_user")
    assert [c["id"] for c in (await page("last_message_at", user_id="ann")).json()["channels"]] == ["c3", "c4", "c2"]
    everybody = await app.call("POST", "/v1/channels/query", {"sort": ["last_message_at"]})
    assert everybody.status_code == 422, "all channels of an app have no such order"
