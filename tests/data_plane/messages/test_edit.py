"""Single messages: look, edit, delete."""

from datetime import timedelta

import pytest

from kernel.ids import Ids, format_id, parse_id


@pytest.fixture
async def den(app):
    """A channel of ann (owner) and bob, with one message of bob's."""
    await app.make_users("ann", "bob", "eve")
    await app.make_channel("den", "bob", owner="ann")
    message, _, _ = await app.send("den", "bob", "hello")
    return message


async def test_a_member_sees_a_message_and_nobody_else_does(app, world, den):
    seen = await app.call("GET", f"/v1/messages/{den}", as_user="ann")
    assert (seen.status_code, seen.json()["message"]["text"], seen.json()["message"]["seq"]) == (200, "hello", 4)
    nothing = await app.call("GET", f"/v1/messages/{format_id('msg', Ids().uuid7())}", as_user="eve")
    other = world.app()
    answers = [
        await app.call("GET", f"/v1/messages/{den}", as_user="eve"),
        await app.call("PATCH", f"/v1/messages/{den}", {"text": "x"}, as_user="eve"),
        await app.call("DELETE", f"/v1/messages/{den}", as_user="eve"),
        await other.call("GET", f"/v1/messages/{den}"),
        await other.call("PATCH", f"/v1/messages/{den}", {"text": "x"}),
        await other.call("DELETE", f"/v1/messages/{den}"),
    ]
    for answer in answers:
        expected = nothing.json() | {"request_id": answer.json()["request_id"]}
        assert (answer.status_code, answer.json()) == (404, expected)
    assert (await app.call("GET", "/v1/messages/msg_nonsense")).status_code == 422


async def test_an_author_edits_parts_of_a_message(app, world, den):
    world.clock.advance(timedelta(seconds=5))
    edited = await app.call("PATCH", f"/v1/messages/{den}", {"text": "hi", "custom": {"a": 1}}, as_user="bob")
    message = edited.json()["message"]
    assert (edited.status_code, message["text"], message["custom"], message["seq"]) == (200, "hi", {"a": 1}, 4)
    assert message["updated_at"] == "2026-01-15T12:00:05.000Z"
    attached = await app.call("PATCH", f"/v1/messages/{den}", {"text": "", "attachments": [{"u": 1}]}, as_user="bob")
    assert attached.json()["message"]["custom"] == {"a": 1}
    assert (await app.call("GET", f"/v1/messages/{den}", as_user="ann")).json() == attached.json()
    assert (await app.types("c:den"))[-3:] == ["message.created", "message.updated", "message.updated"]
    assert (await app.log("c:den"))[-1]["actor"] == "bob"


async def test_the_same_edit_again_tells_nothing(app, den):
    first = await app.call("PATCH", f"/v1/messages/{den}", {"text": "hi"}, as_user="bob")
    again = await app.call("PATCH", f"/v1/messages/{den}", {"text": "hi"}, as_user="bob")
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await app.types("c:den")).count("message.updated") == 1


async def test_by_default_the_author_and_the_server_edit_and_an_owner_deletes_too(app, den):
    await app.make_users("cid")
    await app.call("POST", "/v1/channels/den/members", {"user_ids": ["cid"]})
    for user, method, body, permission in (
        ("ann", "PATCH", {"text": "x"}, "message.edit.any"),
        ("cid", "PATCH", {"text": "x"}, "message.edit.any"),
        ("cid", "DELETE", None, "message.delete.any"),
    ):
        answer = await app.call(method, f"/v1/messages/{den}", body, as_user=user)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
        assert answer.json()["permission"] == permission
    assert (await app.call("PATCH", f"/v1/messages/{den}", {"text": "x"})).status_code == 200
    assert (await app.log("c:den"))[-1]["actor"] is None
    assert (await app.call("PATCH", f"/v1/messages/{den}", {"text": "y", "user_id": "ann"})).status_code == 200
    assert (await app.log("c:den"))[-1]["actor"] == "ann"
    nobody = await app.call("DELETE", f"/v1/messages/{den}", params={"user_id": "joe"})
    assert (nobody.status_code, nobody.json()["code"]) == (422, "unknown_users")
    taken = await app.call("DELETE", f"/v1/messages/{den}", as_user="ann")
    assert (taken.status_code, taken.json()["message"]["text"]) == (200, "")


async def test_who_has_left_does_not_edit_any_more(app, den):
    await app.call("POST", "/v1/channels/den/leave", as_user="bob")
    assert (await app.call("PATCH", f"/v1/messages/{den}", {"text": "x"}, as_user="bob")).status_code == 404
    assert (await app.call("DELETE", f"/v1/messages/{den}", as_user="bob")).status_code == 404


@pytest.mark.parametrize(
    "body", [{"text": ""}, {"text": None}, {"text": "x" * 20_001}, {"custom": {"a": "x" * 5_000}}, {"txt": "x"}]
)
async def test_a_bad_edit_is_refused_and_changes_nothing(app, den, body):
    assert (await app.call("PATCH", f"/v1/messages/{den}", body, as_user="bob")).status_code == 422
    assert (await app.types("c:den"))[-1] == "message.created"


async def test_a_deleted_message_keeps_its_place_and_number_and_nothing_else(app, den):
    deleted = await app.call("DELETE", f"/v1/messages/{den}", as_user="bob")
    message = deleted.json()["message"]
    assert (deleted.status_code, message["text"], message["number"], message["seq"]) == (200, "", 1, 4)
    assert message["deleted_at"] is not None
    again = await app.call("DELETE", f"/v1/messages/{den}", as_user="bob")
    assert (again.status_code, again.json()) == (200, deleted.json())
    edit = await app.call("PATCH", f"/v1/messages/{den}", {"text": "x"}, as_user="bob")
    assert (edit.status_code, edit.json()["code"]) == (409, "message_deleted")
    assert (await app.types("c:den"))[-2:] == ["message.created", "message.deleted"]
    history = (await app.call("GET", "/v1/channels/den/messages", as_user="ann")).json()
    assert history["messages"] == [message]


async def test_in_a_frozen_channel_members_take_back_and_do_not_edit(app, den):
    await app.call("PATCH", "/v1/channels/den", {"frozen": True})
    frozen = await app.call("PATCH", f"/v1/messages/{den}", {"text": "x"}, as_user="bob")
    assert (frozen.status_code, frozen.json()["code"]) == (403, "channel_frozen")
    assert (await app.call("PATCH", f"/v1/messages/{den}", {"text": "x"})).status_code == 200
    assert (await app.call("DELETE", f"/v1/messages/{den}", as_user="bob")).status_code == 200


async def test_an_edit_does_not_spoil_a_late_retry_of_the_send(app, den):
    await app.call("PATCH", f"/v1/messages/{den}", {"text": "edited"}, as_user="bob")
    with pytest.raises(AssertionError, match="duplicate"):
        await app.send("den", "bob", "hello", id=parse_id("msg", den))
