"""What messages said before they were edited, and edits of single fields."""

from datetime import timedelta

import pytest

from data_plane.messages import versions


@pytest.fixture
async def den(app):
    """A channel of ann (owner), bob and cid, with one message of bob's."""
    await app.make_users("ann", "bob", "cid", "eve")
    await app.make_channel("den", "bob", "cid", owner="ann")
    message, _, _ = await app.send("den", "bob", "one")
    return message


async def listed(app, den, user, **params):
    answer = await app.call("GET", f"/v1/messages/{den}/versions", as_user=user, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_edit_keeps_what_it_replaced(app, world, den):
    assert await listed(app, den, "bob") == {"versions": [], "next_cursor": None}
    for text, custom in (("two", {"a": 1}), ("three", {"a": 1}), ("three", {"a": 1})):  # the last one changes nothing
        world.clock.advance(timedelta(seconds=5))
        body = {"text": text, "custom": custom}
        assert (await app.call("PATCH", f"/v1/messages/{den}", body, as_user="bob")).status_code == 200
    two, one = (await listed(app, den, "bob"))["versions"]
    edits = [entry for entry in await app.log("c:den") if entry["type"] == "message.updated"]
    assert (one["text"], one["custom"], two["text"], two["custom"]) == ("one", {}, "two", {"a": 1})
    assert [(entry["seq"], entry["actor"]) for entry in edits] == [(v["seq"], v["edited_by"]) for v in (one, two)]
    assert (one["edited_at"], two["edited_at"]) == ("2026-01-15T12:00:05.000Z", "2026-01-15T12:00:10.000Z")


async def test_pages_of_versions_make_the_whole(app, den):
    for number in range(4):
        await app.call("PATCH", f"/v1/messages/{den}", {"text": str(number)})
    first = await listed(app, den, "bob", limit=3)
    rest = await listed(app, den, "bob", limit=3, cursor=first["next_cursor"])
    assert [each["text"] for each in first["versions"] + rest["versions"]] == ["2", "1", "0", "one"]
    assert rest["next_cursor"] is None
    bad = await app.call("GET", f"/v1/messages/{den}/versions", params={"cursor": "bm9uc2Vuc2U"})
    assert (bad.status_code, bad.json()["field"]) == (422, "cursor")


async def test_the_author_the_moderators_and_the_server_see_versions_and_nobody_else_does(app, den):
    await app.call("PATCH", f"/v1/messages/{den}", {"text": "two"}, as_user="bob")
    for user in ("bob", "ann", None):
        assert [each["text"] for each in (await listed(app, den, user))["versions"]] == ["one"]
    refused = await app.call("GET", f"/v1/messages/{den}/versions", as_user="cid")
    assert (refused.status_code, refused.json()["permission"]) == (403, "message.versions.any")
    assert (await app.call("GET", f"/v1/messages/{den}/versions", as_user="eve")).status_code == 404
    await app.call("DELETE", f"/v1/messages/{den}", as_user="bob")
    gone = await app.call("GET", f"/v1/messages/{den}/versions", as_user="ann")
    assert (gone.status_code, gone.json()["code"]) == (409, "message_deleted")


async def test_of_many_versions_the_first_and_the_latest_stay(app, den, monkeypatch):
    monkeypatch.setattr(versions, "MAX_VERSIONS", 3)
    for number in range(6):
        assert (await app.call("PATCH", f"/v1/messages/{den}", {"text": str(number)})).status_code == 200
    assert [each["text"] for each in (await listed(app, den, None))["versions"]] == ["4", "3", "one"]


async def test_an_edit_in_the_moment_of_the_send_is_an_edit_all_the_same(app, den):
    edited = (await app.call("PATCH", f"/v1/messages/{den}", {"text": "two"}, as_user="bob")).json()["message"]
    assert edited["updated_at"] > edited["created_at"]


async def test_fields_of_custom_data_are_set_and_taken_away_one_by_one(app, den):
    path = f"/v1/messages/{den}"
    for body, custom in (
        ({"set": {"a": 1, "b": {"c": 2}}}, {"a": 1, "b": {"c": 2}}),
        ({"set": {"a": 3}, "unset": ["b", "never"]}, {"a": 3}),
        ({"text": "two", "set": {"d": None}}, {"a": 3, "d": None}),
        ({"unset": ["a", "d"]}, {}),
    ):
        answer = await app.call("PATCH", path, body, as_user="bob")
        assert (answer.status_code, answer.json()["message"]["custom"]) == (200, custom)
    assert answer.json()["message"]["text"] == "two"
    count = len((await listed(app, den, "bob"))["versions"])
    await app.call("PATCH", path, {"unset": ["a"]}, as_user="bob")
    assert len((await listed(app, den, "bob"))["versions"]) == count == 4


@pytest.mark.parametrize(
    "body, field",
    [
        ({"custom": {}, "set": {"a": 1}}, "custom"),
        ({"custom": {"a": 1}, "unset": ["a"]}, "custom"),
        ({"set": {"a": 1}, "unset": ["a"]}, "unset"),
        ({"set": {"a": "x" * 5_000}}, "set"),
        ({"set": {"a": "\x00"}}, None),
        ({"unset": ["x" * 257]}, None),
    ],
)
async def test_a_bad_change_of_fields_is_refused_and_changes_nothing(app, den, body, field):
    answer = await app.call("PATCH", f"/v1/messages/{den}", body, as_user="bob")
    assert answer.status_code == 422
    assert field is None or answer.json()["field"] == field
    assert (await app.types("c:den"))[-1] == "message.created"
