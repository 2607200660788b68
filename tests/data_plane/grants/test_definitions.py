"""Defining channel types and roles: what is refused, what is told, what cannot be deleted, what stays small."""

import asyncio

import pytest

from data_plane.grants.defaults import TYPES
from data_plane.grants.permissions import EVERYTHING, MEANINGS, Permission
from data_plane.grants.service import MAX_OWN
from data_plane.grants.table import DEFAULTS


def test_every_permission_has_its_sentence_and_its_form() -> None:
    assert set(MEANINGS) == EVERYTHING
    for permission in Permission:
        head, _, tail = permission.partition(".")
        assert head in ("message", "reaction", "event", "member", "channel") and tail
        assert MEANINGS[permission].endswith(".")


def test_the_built_in_types_are_what_people_expect() -> None:
    def may(type: str, role: str, permission: str) -> bool:
        return permission in DEFAULTS.granted(type, role)

    assert may("livestream", "user", "channel.watch") and not may("livestream", "user", "message.send")
    assert may("livestream", "anonymous", "channel.watch") and may("livestream", "member", "message.send")
    assert may("team", "member", "member.add") and not may("group", "member", "member.add")
    assert not may("support", "member", "member.add") and may("support", "moderator", "member.add")
    assert DEFAULTS.types["support"].creator_role == "member" == DEFAULTS.types["direct"].creator_role
    for type in TYPES:
        assert not any(may(type, role, "message.edit.any") for role in DEFAULTS.roles)
        for role in ("admin", "moderator"):
            assert may(type, role, "channel.watch") == (type != "direct")


async def test_a_type_is_made_changed_read_and_deleted(app):
    wish = {"grants": {"guest": ["channel.watch"], "member": []}, "creator_role": "moderator"}
    made = await app.call("PUT", "/v1/channel-types/salon", wish)
    assert made.status_code == 201
    assert made.json()["grants"]["guest"] == ["channel.watch"]
    assert made.json()["grants"]["owner"] == sorted(DEFAULTS.roles["owner"].grants)
    assert (made.json()["built_in"], made.json()["creator_role"]) == (False, "moderator")
    again = await app.call("PUT", "/v1/channel-types/salon", wish)
    assert (again.status_code, again.json()) == (200, made.json())
    assert (await app.call("GET", "/v1/channel-types/salon")).json() == made.json()
    names = [kind["name"] for kind in (await app.call("GET", "/v1/channel-types")).json()["channel_types"]]
    assert names == sorted([*TYPES, "salon"])
    assert (await app.call("DELETE", "/v1/channel-types/salon")).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await app.call(method, "/v1/channel-types/salon")).status_code == 404
    told = await app.log("a:")
    assert [entry["type"] for entry in told] == ["grants.updated"] * 2
    assert told[0]["data"]["types"] == {"salon": made.json()["grants"]}
    assert told[1]["data"]["types"] == {"salon": None}


async def test_a_built_in_type_is_changed_for_the_roles_that_are_named_and_made_as_it_was(app):
    before = (await app.call("GET", "/v1/channel-types/livestream")).json()
    changed = (await app.call("PUT", "/v1/channel-types/livestream", {"grants": {"member": []}})).json()
    assert changed["grants"] == before["grants"] | {"member": []}
    assert (await app.call("DELETE", "/v1/channel-types/livestream")).status_code == 204
    assert (await app.call("GET", "/v1/channel-types/livestream")).json() == before
    assert (await app.call("DELETE", "/v1/channel-types/livestream")).status_code == 204
    assert len(await app.log("a:")) == 2


async def test_a_role_holds_in_every_type_that_says_nothing_else(app):
    await app.call("PUT", "/v1/channel-types/salon", {"grants": {"guest": []}})
    role = {"scopes": ["channel"], "grants": ["message.send", "message.send"]}
    made = await app.call("PUT", "/v1/roles/host", role)
    assert (made.status_code, made.json()["grants"]) == (201, ["message.send"])
    assert (await app.call("PUT", "/v1/roles/guest", {"scopes": ["channel", "app"], "grants": []})).status_code == 200
    types = {
        kind["name"]: kind["grants"] for kind in (await app.call("GET", "/v1/channel-types")).json()["channel_types"]
    }
    assert types["salon"]["host"] == types["direct"]["host"] == ["message.send"]
    assert types["group"]["guest"] == [] and types["direct"]["guest"] != []
    last = (await app.log("a:"))[-1]["data"]["types"]
    assert set(last) == {"group", "team"}, "those that say something of guests are as they were"
    roles = (await app.call("GET", "/v1/roles")).json()["roles"]
    assert [each["name"] for each in roles if not each["built_in"]] == ["host"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("channel-types/x", {"grants": {"member": ["message.fly"]}}, "grants.member[0]"),
        ("channel-types/x", {"grants": {"nobody": []}}, "grants"),
        ("channel-types/x", {"grants": {}, "creator_role": "nobody"}, "creator_role"),
        ("channel-types/x", {"grants": {}, "creator_role": "user"}, "creator_role"),
        ("channel-types/x", {}, "grants"),
        ("channel-types/x", {"grants": {"No Role": []}}, "grants"),
        ("roles/x", {"scopes": ["channel"], "grants": ["everything"]}, "grants[0]"),
        ("roles/x", {"scopes": ["planet"], "grants": []}, "scopes[0]"),
        ("roles/x", {"scopes": [], "grants": []}, "scopes"),
    ],
)
async def test_bad_definitions_are_refused_by_name_and_leave_nothing(app, path, body, field):
    answer = await app.call("PUT", f"/v1/{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), answer.text
    assert answer.json()["field"].startswith(field), answer.text
    assert await app.log("a:") == []


async def test_only_a_server_defines(app):
    await app.make_users("ann")
    for method, path in (("PUT", "channel-types/x"), ("DELETE", "roles/x"), ("GET", "roles"), ("GET", "channel-types")):
        body = {"grants": {}} if method == "PUT" else None
        assert (await app.call(method, f"/v1/{path}", body, as_user="ann")).status_code == 403


async def test_what_is_in_use_is_not_deleted(app):
    await app.make_users("ann", "bob")
    for role, scopes in (("host", ["channel"]), ("agent", ["app"]), ("chair", ["channel"])):
        await app.call("PUT", f"/v1/roles/{role}", {"scopes": scopes, "grants": []})
    await app.call("PUT", "/v1/channel-types/salon", {"grants": {}, "creator_role": "chair"})
    await app.make_channel("den", "bob", type="salon")
    await app.call("PUT", "/v1/channels/den/members/bob", {"role": "host"})
    pool = await app.world.shard.system.pool()
    await pool.execute("update chat.users set role = 'agent' where app_id = $1 and id = 'ann'", app.id)
    for path, code in (
        ("channel-types/salon", "type_in_use"),
        ("roles/host", "role_in_use"),
        ("roles/agent", "role_in_use"),
        ("roles/chair", "role_in_use"),
    ):
        answer = await app.call("DELETE", f"/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, code), path
    off = await app.call("PUT", "/v1/roles/chair", {"scopes": ["app"], "grants": []})
    assert (off.status_code, off.json()["code"]) == (409, "role_in_use")
    await app.call("DELETE", "/v1/channels/den")
    await app.call("DELETE", "/v1/channels/den/members/bob")
    assert (await app.call("DELETE", "/v1/channel-types/salon")).status_code == 204
    assert (await app.call("DELETE", "/v1/roles/chair")).status_code == 204


async def test_a_deletion_and_a_first_use_do_not_pass_each_other(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob")
    for n in range(10):
        await app.call("PUT", "/v1/channel-types/salon", {"grants": {}})
        await app.call("PUT", "/v1/roles/host", {"scopes": ["channel"], "grants": []})
        made, type_gone, given, role_gone = await asyncio.gather(
            app.call("POST", "/v1/channels", {"id": f"s{n}", "type": "salon"}),
            app.call("DELETE", "/v1/channel-types/salon"),
            app.call("PUT", "/v1/channels/den/members/bob", {"role": "host"}),
            app.call("DELETE", "/v1/roles/host"),
        )
        assert (made.status_code, type_gone.status_code) in ((201, 409), (422, 204))
        assert (given.status_code, role_gone.status_code) in ((200, 409), (422, 204))
        await app.call("DELETE", f"/v1/channels/s{n}")
        await app.call("PUT", "/v1/channels/den/members/bob", {"role": "member"})
    await app.check_logs()


async def test_an_app_has_so_many_of_its_own_and_no_more(app):
    for n in range(MAX_OWN):
        assert (await app.call("PUT", f"/v1/channel-types/t{n}", {"grants": {}})).status_code == 201
        assert (await app.call("PUT", f"/v1/roles/r{n}", {"scopes": ["app"], "grants": []})).status_code == 201
    for path, body in (("channel-types/more", {"grants": {}}), ("roles/more", {"scopes": ["app"], "grants": []})):
        answer = await app.call("PUT", f"/v1/{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_defined")
    assert (await app.call("PUT", "/v1/channel-types/t0", {"grants": {"member": []}})).status_code == 200
    assert len(app.world.shard.grants.rules(app.id)) < 100_000


async def test_who_may_not_create_or_may_not_add_does_not_begin_a_channel_so(app):
    await app.make_users("ann", "bob")
    stream = await app.call("POST", "/v1/channels", {"type": "livestream"}, as_user="ann")
    assert (stream.status_code, stream.json()["permission"]) == (403, "channel.create")
    crowd = await app.call("POST", "/v1/channels", {"type": "support", "members": ["bob"]}, as_user="ann")
    assert (crowd.status_code, crowd.json()["permission"]) == (403, "member.add")
    ticket = await app.call("POST", "/v1/channels", {"type": "support"}, as_user="ann")
    assert (ticket.status_code, ticket.json()["membership"]["role"]) == (201, "member")
    unknown = await app.call("POST", "/v1/channels", {"type": "party"})
    assert (unknown.status_code, unknown.json()["field"]) == (422, "type")


async def test_the_last_owner_stays_until_there_is_another_or_nobody(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    for method, path, body in (
        ("POST", "leave", None),
        ("DELETE", "members/ann", None),
        ("PUT", "members/ann", {"role": "member"}),
    ):
        answer = await app.call(method, f"/v1/channels/den/{path}", body, as_user="ann")
        assert (answer.status_code, answer.json()["code"]) == (409, "channel_needs_owner"), path
    await app.call("PUT", "/v1/channels/den/members/bob", {"role": "owner"}, as_user="ann")
    assert (await app.call("POST", "/v1/channels/den/leave", as_user="ann")).status_code == 204
    down = await app.call("PUT", "/v1/channels/den/members/bob", {"role": "member"}, as_user="bob")
    assert (down.status_code, down.json()["code"]) == (409, "channel_needs_owner"), "who is alone stays a member, too"
    assert (await app.call("POST", "/v1/channels/den/leave", as_user="bob")).status_code == 204


async def test_grants_of_a_channel_are_merged_by_role_and_given_back(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    path = "/v1/channels/den"
    for wish, after in (
        ({"member": ["message.send"], "guest": []}, {"guest": [], "member": ["message.send"]}),
        ({"guest": None}, {"member": ["message.send"]}),
        (None, {}),
    ):
        answer = await app.call("PATCH", path, {"grants": wish}, as_user="ann")
        assert (answer.status_code, answer.json()["grants"]) == (200, after)
    updates = [entry for entry in await app.log("c:den") if entry["type"] == "channel.updated"]
    assert [entry["data"]["changed"] for entry in updates] == [["grants"]] * 3
    for wish, field in (({"nobody": []}, "grants"), ({"member": ["channel.create"]}, "grants.member[0]")):
        answer = await app.call("PATCH", path, {"grants": wish})
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    own = await app.call("PATCH", path, {"grants": {"owner": []}}, as_user="ann")
    assert (own.status_code, own.json()["code"]) == (403, "role_too_high")
    more = await app.call("PATCH", path, {"grants": {"member": ["message.edit.any"]}}, as_user="ann")
    assert (more.json()["code"], more.json()["permissions"]) == ("role_too_high", ["message.edit.any"])


async def test_a_query_shows_who_is_no_member_what_it_may_watch(app):
    await app.make_users("ann", "eve")
    await app.call("PUT", "/v1/channel-types/salon", {"grants": {"user": ["channel.watch"]}})
    for name, type in (
        ("open", "salon"),
        ("shut", "salon"),
        ("show", "livestream"),
        ("den", "group"),
        ("glass", "group"),
    ):
        await app.make_channel(name, "ann", type=type)
    await app.call("PATCH", "/v1/channels/shut", {"grants": {"user": []}})
    await app.call("PATCH", "/v1/channels/glass", {"grants": {"user": ["channel.watch"]}})

    async def seen(user, filter):
        answer = await app.call("POST", "/v1/channels/query", {"filter": filter}, as_user=user)
        assert answer.status_code == 200, answer.text
        return sorted(channel["id"] for channel in answer.json()["channels"])

    everything = {"id": {"$in": ["open", "shut", "show", "den", "glass"]}}
    assert await seen("eve", everything) == ["glass", "open", "show"]
    assert await seen("ann", everything) == ["den", "glass", "open", "show", "shut"]
    assert await seen("eve", {"type": "salon"}) == ["open"]
    assert await seen("ann", {"type": "salon"}) == ["open", "shut"]
    assert await seen("eve", {"type": "group"}) == []
    for name in ("open", "shut", "show", "den", "glass"):
        shown = (await app.call("GET", f"/v1/channels/{name}", as_user="eve")).status_code == 200
        assert shown == (name in ("glass", "open", "show"))


async def test_who_may_only_watch_may_not_send(app):
    await app.make_users("owner", "passer")
    wish = {"id": "stream", "type": "livestream", "members": ["owner"], "user_id": "owner"}
    assert (await app.call("POST", "/v1/channels", wish)).status_code == 201
    seen = (await app.call("GET", "/v1/channels/stream", as_user="passer")).json()
    assert "channel.watch" in seen["capabilities"] and "message.send" not in seen["capabilities"]
    assert await app.verdict("stream", "passer") == "forbidden"
    everyone = {"grants": {"user": ["channel.watch", "message.send"]}}
    assert (await app.call("PUT", "/v1/channel-types/livestream", everyone)).is_success
    assert await app.verdict("stream", "passer") == "created"
