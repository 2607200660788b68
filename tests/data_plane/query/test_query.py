"""What each operator finds, for whom, and how what is wrong is refused."""

from typing import Any

import pytest


async def ids(app, filter=None, *, of="channels", path=None, as_user=None, **more) -> list[str]:
    answer = await app.call("POST", path or f"/v1/{of}/query", {"filter": filter or {}, **more}, as_user=as_user)
    assert answer.status_code == 200, answer.text
    name = "user_id" if of == "members" else "id"
    return [thing[name] for thing in answer.json()[of]]


@pytest.fixture
async def rooms(app):
    await app.make_users("ann", "bob", "cleo")
    await app.make_channel("a", "ann", "bob", owner="ann", name="Élan vital", custom={"team": "red", "size": 1})
    await app.make_channel("b", "ann", type="team", name="Blue Engine", custom={"team": "blue", "size": 2, "on": True})
    await app.make_channel("c", "bob", type="team", name="engine room", custom={"team": "red", "size": 10})
    await app.make_channel("d", "bob", "cleo", type="direct", custom={"tags": ["x", "y"], "at": "2026-01-01T00:00:00Z"})
    await app.make_channel("e", type="livestream", name="Enginéers", custom={"size": "ten"})


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({}, "abcde"),
        ({"id": "b"}, "b"),
        ({"id": {"$in": ["a", "e", "zz"]}}, "ae"),
        ({"id": {"$gt": "b", "$lte": "d"}}, "cd"),
        ({"id": {"$autocomplete": "c"}}, "c"),
        ({"type": "team"}, "bc"),
        ({"type": {"$in": ["team", "direct"]}}, "bcd"),
        ({"name": "engine room"}, "c"),
        ({"name": {"$exists": False}}, "d"),
        ({"name": {"$autocomplete": "ENGIN"}}, "bce"),
        ({"name": {"$autocomplete": "engine ro"}}, "c"),
        ({"name": {"$autocomplete": "elan"}}, "a"),
        ({"name": {"$autocomplete": "!"}}, ""),
        ({"created_by": "ann"}, "a"),
        ({"created_by": {"$exists": False}}, "bcde"),
        ({"frozen": True}, ""),
        ({"created_at": {"$gt": "2020-01-01T00:00:00Z"}}, "abcde"),
        ({"created_at": {"$lt": "2020-01-01T00:00:00+01:00"}}, ""),
        ({"members": {"$contains": "bob"}}, "acd"),
        ({"members": {"$in": ["cleo", "ann"]}}, "abd"),
        ({"custom.team": "red"}, "ac"),
        ({"custom.team": {"$in": ["blue", "green"]}}, "b"),
        ({"custom.size": {"$gte": 2}}, "bc"),
        ({"custom.size": "ten"}, "e"),
        ({"custom.size": {"$exists": True}}, "abce"),
        ({"custom.on": True}, "b"),
        ({"custom.tags": {"$contains": "y"}}, "d"),
        ({"custom.none.such": {"$exists": False}}, "abcde"),
        ({"$or": [{"type": "direct"}, {"custom.size": {"$lt": 2}}]}, "ad"),
        ({"$and": [{"type": "team"}, {"$or": [{"custom.team": "red"}, {"id": "a"}]}]}, "c"),
        ({"type": "team", "custom.team": "red"}, "c"),
    ],
)
async def test_an_operator_finds_what_it_says(app, rooms, filter, found):
    assert sorted(await ids(app, filter)) == list(found)


async def test_sorts_go_both_ways_and_ties_are_broken_by_the_id(app, rooms):
    assert await ids(app, sort=["id"]) == list("abcde")
    assert await ids(app, sort=["-id"]) == list("edcba")
    assert await ids(app, sort=["name"]) == list("dbeca"), "by code points; without a name comes first"
    assert await ids(app, sort=["-name"]) == list("acebd")
    assert await ids(app, {"type": "team"}, sort=["-created_at"]) == list("cb")
    assert await ids(app, sort=["-created_at", "id"]) == list("abcde"), "all were made in one instant"


async def test_a_user_finds_its_own_channels_and_livestreams_only_when_it_asks(app, rooms):
    assert await ids(app, as_user="ann") == list("ab")
    assert await ids(app, {"type": "team"}, as_user="bob") == ["c"]
    assert await ids(app, {"id": {"$in": list("abcde")}}, as_user="cleo") == list("de")
    assert await ids(app, {"type": "livestream"}, as_user="ann") == ["e"]
    assert await ids(app, {"type": {"$in": ["livestream", "team"]}}, as_user="ann") == ["b"]
    assert await ids(app, {"$or": [{"id": "e"}, {"id": "d"}]}, as_user="ann") == []
    assert await ids(app, {"members": {"$contains": "bob"}}, as_user="ann") == ["a"]
    assert await ids(app, {"name": {"$autocomplete": "eng"}}, as_user="ann") == ["b"]
    assert await ids(app, user_id="bob") == list("acd")


async def test_a_deleted_channel_is_not_found_and_loses_its_words(app, rooms):
    assert (await app.call("DELETE", "/v1/channels/b")).status_code == 204
    assert await ids(app, {"name": {"$autocomplete": "blue"}}) == []
    assert await app.fetch("select word from chat.words where app_id = $1 and resource = 'channels' and id = 'b'") == []


async def test_words_follow_a_new_name(app, rooms):
    await app.call("PATCH", "/v1/channels/a", {"name": "Grün"})
    assert await ids(app, {"name": {"$autocomplete": "grun"}}) == ["a"]
    assert await ids(app, {"name": {"$autocomplete": "elan"}}) == []


async def test_words_come_in_their_order_each_thing_once(app):
    await app.make_channel("x", name="annabel anna")
    await app.make_channel("y", name="Ann")
    await app.make_channel("z", name="annals")
    assert await ids(app, {"name": {"$autocomplete": "ann"}}) == ["y", "x", "z"]


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ({"filter": {"colour": "red"}}, "filter.colour", "there is no field"),
        ({"filter": {"type": {"$like": "x"}}}, "filter.type.$like", "no such operator"),
        ({"filter": {"type": {"$gt": "team"}}}, "filter.type.$gt", "takes `$eq`, `$in`"),
        ({"filter": {"type": "choir"}}, "filter.type", "must be one of"),
        ({"filter": {"type": None}}, "filter.type", "$exists"),
        ({"filter": {"type": {}}}, "filter.type", "needs an operator"),
        ({"filter": {"id": {"$in": []}}}, "filter.id.$in", "1 to 100"),
        ({"filter": {"id": {"$in": ["a", 5]}}}, "filter.id.$in[1]", "must be text"),
        ({"filter": {"frozen": "yes"}}, "filter.frozen", "true or false"),
        ({"filter": {"created_at": {"$gt": "yesterday"}}}, "filter.created_at.$gt", "must be a time"),
        ({"filter": {"created_at": {"$gt": "2026-02-31T00:00:00Z"}}}, "filter.created_at.$gt", "must be a time"),
        ({"filter": {"created_at": {"$gt": "9999-12-31T23:59:59-23:59"}}}, "filter.created_at.$gt", "must be a time"),
        ({"filter": {"custom.a b": 1}}, "filter.custom.a b", "a path in `custom`"),
        ({"filter": {"custom.a": {"$gt": True}}}, "filter.custom.a.$gt", "no order"),
        ({"filter": {"custom.a": {"$in": [1, "x"]}}}, "filter.custom.a.$in[1]", "must be a number"),
        ({"filter": {"custom.a": {"$autocomplete": "x"}}}, "filter.custom.a.$autocomplete", "takes"),
        ({"filter": {"custom.a": {"b": 1}}}, "filter.custom.a.b", "no such operator"),
        ({"filter": {"$or": []}}, "filter.$or", "one or more"),
        ({"filter": {"$or": [{"type": "team"}, {"$and": [{"x": 1}]}]}}, "filter.$or[1].$and[0].x", "there is no field"),
        ({"filter": {"$not": {"type": "team"}}}, "filter.$not", "no operator stands here"),
        ({"filter": {"$or": ["team"]}}, "filter.$or[0]", "must be an object"),
        ({"filter": {"$or": [{"$or": [{"$or": [{"$or": [{"$or": [{}]}]}]}]}]}}, None, "at most 4 deep"),
        ({"filter": {"$or": [{"type": "team"}] * 31}}, "filter.$or", "at most 30"),
        ({"filter": {"$and": [{"$or": [{"type": "team"}] * 20}] * 2}}, "filter", "at most 30 conditions"),
        ({"filter": {"name": "x" * 257}}, "filter.name", "at most 256"),
        ({"sort": ["-colour"]}, "sort[0]", "sorts by"),
        ({"sort": ["type"]}, "sort[0]", "sorts by"),
        ({"sort": ["id", "-id"]}, "sort[1]", "there already"),
        ({"sort": ["custom.size"]}, "sort[0]", "PUT /v1/indexes/channels/custom.size"),
    ],
)
async def test_what_is_wrong_is_refused_by_its_place(app, body: Any, path, words):
    answer = await app.call("POST", "/v1/channels/query", body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "bad_filter"), answer.text
    assert words in problem["detail"]
    assert problem["field"] == next(iter(body))
    if path is not None:
        assert problem["path"] == path


async def test_users_are_found_by_profile_and_deactivated_ones_only_when_asked_for(app):
    users = [
        {"id": "ann", "name": "Ann Smith", "role": "admin", "custom": {"city": "Oslo"}},
        {"id": "bob", "name": "Bøb", "custom": {"city": "Rome"}},
        {"id": "cleo", "name": "Cléo Ánn"},
    ]
    assert (await app.call("POST", "/v1/users", {"users": users})).status_code == 200
    await app.fetch("update chat.users set deactivated_at = now() where app_id = $1 and id = 'bob'")
    assert await ids(app, of="users", as_user="ann") == ["ann", "cleo"]
    assert await ids(app, {"name": {"$autocomplete": "ann"}}, of="users") == ["ann", "cleo"]
    assert await ids(app, {"role": "admin"}, of="users") == ["ann"]
    assert await ids(app, {"custom.city": {"$in": ["Oslo", "Rome"]}}, of="users") == ["ann"]
    assert await ids(app, {"deactivated_at": {"$exists": True}}, of="users") == ["bob"]
    assert await ids(app, {"id": {"$autocomplete": "cl"}}, of="users", as_user="ann") == ["cleo"]


async def test_members_are_found_by_role_and_by_the_names_in_their_profiles(app):
    users = [{"id": "ann", "name": "Ann Smith"}, {"id": "bob", "name": "Anton"}, {"id": "cleo", "name": "Annie"}]
    await app.call("POST", "/v1/users", {"users": users})
    await app.make_channel("a", "ann", "bob", owner="ann")
    path = "/v1/channels/a/members/query"
    assert await ids(app, {"role": "owner"}, of="members", path=path) == ["ann"]
    assert await ids(app, {"name": {"$autocomplete": "an"}}, of="members", path=path, as_user="bob") == ["ann", "bob"]
    assert await ids(app, {"user_id": {"$in": ["bob", "cleo"]}}, of="members", path=path) == ["bob"]
    assert await ids(app, sort=["-joined_at"], of="members", path=path) == ["bob", "ann"]
    hidden = await app.call("POST", path, {"filter": {"type": "x"}}, as_user="cleo")
    assert hidden.status_code == 422, "a member has no such field"
    assert (await app.call("POST", path, {}, as_user="cleo")).status_code == 404


async def test_a_cursor_is_bound_to_its_query(app, rooms):
    body = {"filter": {"type": "team"}, "sort": ["-created_at"], "limit": 1}
    first = (await app.call("POST", "/v1/channels/query", body)).json()
    cursor = first["next_cursor"]
    second = (await app.call("POST", "/v1/channels/query", body | {"cursor": cursor})).json()
    assert [page["channels"][0]["id"] for page in (first, second)] == ["c", "b"]
    assert second["next_cursor"] is None
    for change in ({"filter": {}}, {"sort": ["created_at"]}, {"sort": []}, {"user_id": "ann"}):
        answer = await app.call("POST", "/v1/channels/query", body | {"cursor": cursor} | change)
        assert answer.status_code == 422
        assert "another query" in answer.json()["detail"]
        assert answer.json()["field"] == "cursor"
    for forged in ("", "AAAA", "bWVtYmVyczphZGE", cursor[:-3], cursor + "AA", "ключ"):
        answer = await app.call("POST", "/v1/channels/query", body | {"cursor": forged})
        assert (answer.status_code, answer.json()["field"]) == (422, "cursor"), answer.text
