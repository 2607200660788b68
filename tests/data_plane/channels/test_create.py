"""Creating channels."""

import asyncio

import pytest

from data_plane.channels.create import ChannelCreation
from data_plane.channels.schemas import CreateChannel
from data_plane.grants.defaults import ROLES


async def test_a_user_creates_a_channel_and_owns_it(app):
    await app.make_users("ann", "bob")
    answer = await app.call(
        "POST",
        "/v1/channels",
        {"id": "den", "type": "team", "name": "Den", "custom": {"a": [1]}, "members": ["bob", "ann", "bob"]},
        as_user="ann",
    )
    assert answer.status_code == 201
    channel = answer.json()
    assert channel == {
        "id": "den",
        "type": "team",
        "name": "Den",
        "image": None,
        "custom": {"a": [1]},
        "created_by": "ann",
        "frozen": False,
        "grants": {},
        "history": "all",
        "truncated_to": 0,
        "truncated_number": 0,
        "distinct": False,
        "slow_mode": 0,
        "created_at": "2026-01-15T12:00:00.000Z",
        "updated_at": "2026-01-15T12:00:00.000Z",
        "member_count": 2,
        "last_number": 0,
        "seq": 3,
        "membership": {
            "role": "owner",
            "read_number": 0,
            "unread": 0,
            "joined_at": "2026-01-15T12:00:00.000Z",
            "history_from": 0,
            "archived_at": None,
            "hidden": False,
            "muted_at": None,
            "muted_until": None,
            "pin_order": None,
        },
        "capabilities": sorted(ROLES["owner"] - {"channel.create"}),
    }
    assert (await app.call("GET", "/v1/channels/den", as_user="ann")).json() == channel


async def test_the_logs_tell_the_creation_to_the_channel_and_to_each_member(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    created, ann, bob = await app.log("c:den")
    assert (created["type"], created["actor"]) == ("channel.created", "ann")
    assert created["data"]["channel"]["seq"] == 3
    assert created["data"]["channel"]["membership"] is None
    assert (ann["type"], ann["data"]["user_id"], ann["data"]["role"]) == ("member.added", "ann", "owner")
    assert (bob["type"], bob["data"]["user_id"], bob["data"]["role"]) == ("member.added", "bob", "member")
    (told,) = await app.log("u:bob")
    assert (told["type"], told["data"]["from_seq"]) == ("membership.added", 1)
    seen = (await app.call("GET", "/v1/channels/den", as_user="bob")).json()
    assert told["data"]["channel"] == seen


async def test_what_is_published_is_what_was_stored(app, world):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    # Within a log in order; which log comes first is the writer's matter.
    assert sorted((entry.log, entry.seq) for entry in world.published) == [
        ("c:den", 1),
        ("c:den", 2),
        ("c:den", 3),
        ("u:ann", 1),
        ("u:bob", 1),
    ]
    channel = [entry.seq for entry in world.published if entry.log == "c:den"]
    assert channel == sorted(channel)


async def test_a_server_creates_a_channel_without_a_creator_or_for_a_user(app):
    await app.make_users("ann")
    nobody = (await app.call("POST", "/v1/channels", {})).json()
    assert nobody["id"].startswith("ch_")
    assert (nobody["created_by"], nobody["member_count"], nobody["membership"]) == (None, 0, None)
    anns = (await app.call("POST", "/v1/channels", {"user_id": "ann"})).json()
    assert (anns["created_by"], anns["member_count"], anns["type"]) == ("ann", 1, "group")
    assert (await app.call("GET", f"/v1/channels/{anns['id']}", as_user="ann")).json()["membership"]["role"] == "owner"


async def test_users_that_do_not_exist_are_named_and_nothing_is_done(app):
    await app.make_users("ann")
    answer = await app.call("POST", "/v1/channels", {"id": "den", "members": ["ann", "eve", "joe"]})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["field"], problem["user_ids"]) == ("unknown_users", "members", ["eve", "joe"])
    answer = await app.call("POST", "/v1/channels", {"id": "den", "user_id": "eve"})
    assert (answer.status_code, answer.json()["field"]) == (422, "user_id")
    assert await app.fetch("select 1 from chat.channels where app_id = $1") == []
    assert await app.fetch("select 1 from chat.log_heads where app_id = $1") == []


async def test_a_user_cannot_create_for_somebody_else(app):
    await app.make_users("ann", "bob")
    answer = await app.call("POST", "/v1/channels", {"user_id": "bob"}, as_user="ann")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "with space"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"id": "newline\n"}, "id"),
        ({"type": "party"}, "type"),
        ({"name": "x" * 201}, "name"),
        ({"custom": {"a": "x" * 5_000}}, "custom"),
        ({"custom": {"a": [[[[[[[[1]]]]]]]]}}, "custom"),
        ({"members": ["u"] * 101}, "members"),
        ({"nmae": "typo"}, None),
    ],
)
async def test_bad_input_is_refused_and_named(app, body, field):
    answer = await app.call("POST", "/v1/channels", body)
    assert answer.status_code == 422, answer.text
    assert field is None or field in answer.text


async def test_a_body_with_nul_is_refused(app):
    answer = await app.call("POST", "/v1/channels", {"name": "a\x00b"})
    assert answer.status_code == 422


async def test_the_same_channel_again_is_answered_and_not_made_again(app):
    await app.make_users("ann", "bob", "cid")
    wish = {"id": "den", "name": "Den", "custom": {"k": 1.5}, "members": ["bob"]}
    first = await app.call("POST", "/v1/channels", wish, as_user="ann")
    again = await app.call("POST", "/v1/channels", wish, as_user="ann")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    # Later changes do not make an honest retry a conflict.
    await app.call("PATCH", "/v1/channels/den", {"name": "Lair"})
    await app.call("PUT", "/v1/channels/den/members/cid")
    await app.call("DELETE", "/v1/channels/den/members/bob")
    late = await app.call("POST", "/v1/channels", wish, as_user="ann")
    assert (late.status_code, late.json()["name"]) == (200, "Lair")
    assert await app.types("c:den") == [
        "channel.created",
        "member.added",
        "member.added",
        "channel.updated",
        "member.added",
        "member.removed",
    ]


@pytest.mark.parametrize(
    ("change", "caller"),
    [
        ({"name": "Other"}, "ann"),
        ({"type": "team"}, "ann"),
        ({"custom": {"a": 1}}, "ann"),
        ({"members": []}, "ann"),
        ({"members": ["bob", "cid"]}, "ann"),
        ({}, "bob"),
        ({}, "cid"),
        ({}, None),
    ],
)
async def test_a_taken_id_is_a_conflict_without_content(app, change, caller):
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", "bob", owner="ann", name="Secret")
    body = {"id": "den", "name": "Secret", "members": ["bob"], **change}
    answer = await app.call("POST", "/v1/channels", body, as_user=caller)
    assert (answer.status_code, answer.json()["code"]) == (409, "channel_exists")
    assert "Secret" not in answer.text


async def test_the_id_of_a_deleted_channel_stays_taken(app):
    await app.make_users("ann")
    await app.make_channel("den", owner="ann")
    assert (await app.call("DELETE", "/v1/channels/den", as_user="ann")).status_code == 204
    answer = await app.call("POST", "/v1/channels", {"id": "den"}, as_user="ann")
    assert (answer.status_code, answer.json()["code"]) == (409, "channel_exists")


async def test_the_same_id_in_two_apps_is_two_channels(world):
    one, two = world.app(), world.app()
    await one.make_users("ann")
    await two.make_users("ann")
    await one.make_channel("den", owner="ann", name="One")
    await two.make_channel("den", owner="ann", name="Two")
    assert (await one.call("GET", "/v1/channels/den", as_user="ann")).json()["name"] == "One"


@pytest.mark.parametrize("members", [[], ["bob", "cid"]])
async def test_a_direct_channel_has_exactly_two_members(app, members):
    await app.make_users("ann", "bob", "cid")
    answer = await app.call("POST", "/v1/channels", {"type": "direct", "members": members}, as_user="ann")
    assert (answer.status_code, answer.json()["field"]) == (422, "members")


async def test_nobody_owns_a_direct_channel(app):
    await app.make_users("ann", "bob")
    await app.make_channel("duo", "bob", owner="ann", type="direct")
    roles = await app.fetch("select distinct role from chat.members where app_id = $1")
    assert [row["role"] for row in roles] == ["member"]


async def test_racing_creators_of_one_id_make_one_channel(app, world):
    await app.make_users("ann", "bob")

    async def create(name):
        async with world.shard.unit_of_work(app.id) as uow:
            return await ChannelCreation(world.shard).create(
                uow, app.user("ann"), CreateChannel(id="den", name=name, members=["bob"])
            )

    same = await asyncio.gather(*(create("Den") for _ in range(8)))
    assert sorted(fresh for _, fresh in same) == [False] * 7 + [True]
    mixed = await asyncio.gather(*(create(f"Den {n}") for n in range(3)), return_exceptions=True)
    assert {getattr(error, "code", None) for error in mixed} == {"channel_exists"}
    await app.check_logs()
