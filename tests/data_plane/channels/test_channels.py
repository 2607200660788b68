"""Looking at, changing and deleting channels."""

from datetime import timedelta

import msgspec
import orjson
import pytest
from sqlalchemy import text

from data_plane.channels.everything import channels_of_user
from data_plane.channels.jobs import DISBAND, PURGE, ChannelJobs
from data_plane.channels.repository import ChannelRepository
from data_plane.paging import encode_cursor
from kernel.outbox import OutboxRunner

COUNT_MENTIONS = "select count(*) from chat.mentions where app_id = :app and channel_id = 'den'"


async def run_jobs(world, app, **limits):
    """Run the app's outbox rows until none is left; returns how many ran."""
    runner = OutboxRunner(world.shard.system, "chat", ChannelJobs(world.shard, **limits).handlers(), world.clock)
    count = 0
    while rows := await app.fetch(
        "select id, topic from chat.outbox where (payload->>'app_id')::uuid = $1 order by id"
    ):
        for row in rows:
            assert row["topic"] in (DISBAND, PURGE)
            assert await runner.run(row["id"])
            count += 1
    return count


async def test_a_channel_that_one_is_not_in_looks_like_none(world):
    app, other = world.app(), world.app()
    await app.make_users("ann", "eve")
    await other.make_users("ann")
    await app.make_channel("den", owner="ann")
    nothing = await app.call("GET", "/v1/channels/nothing", as_user="ann")
    assert nothing.status_code == 404
    foreign = [
        await app.call("GET", "/v1/channels/den", as_user="eve"),
        await other.call("GET", "/v1/channels/den", as_user="ann"),
        await other.call("GET", "/v1/channels/den"),
        await app.call("PATCH", "/v1/channels/den", {"name": "x"}, as_user="eve"),
        await other.call("PATCH", "/v1/channels/den", {"name": "x"}),
        await app.call("DELETE", "/v1/channels/den", as_user="eve"),
        await other.call("DELETE", "/v1/channels/den"),
        await app.call("GET", "/v1/channels/den/members", as_user="eve"),
        await other.call("PUT", "/v1/channels/den/members/ann"),
        await app.call("POST", "/v1/channels/den/leave", as_user="eve"),
        await app.call("POST", "/v1/channels/den/read", as_user="eve"),
        await app.call("GET", "/v1/channels/den/messages", as_user="eve"),
        await other.call("GET", "/v1/channels/den/messages"),
    ]
    for answer in foreign:
        expected = nothing.json() | {"request_id": answer.json()["request_id"]}
        assert (answer.status_code, answer.json()) == (404, expected)
    assert await app.types("c:den") == ["channel.created", "member.added"]


async def test_a_repository_of_another_app_sees_nothing_even_with_the_apps_id(world):
    one, two = world.app(), world.app()
    await one.make_users("ann")
    await one.make_channel("den", owner="ann")
    async with world.shard.unit_of_work(two.id) as uow:
        # The app's own id in the query, the other tenant's scope on the connection: the database itself refuses.
        assert await ChannelRepository(uow.session, one.id).find("den", "ann") is None
        await ChannelRepository(uow.session, one.id).change("den", {"name": "stolen"})
    assert [row["name"] for row in await one.fetch("select name from chat.channels where app_id = $1")] == [None]


async def test_a_users_list_pages_through_its_channels_by_id(app):
    await app.make_users("ann", "bob")
    for n in range(7):
        await app.make_channel(f"c{n}", owner="ann" if n % 2 else "bob")
    first = (await app.call("GET", "/v1/channels", as_user="bob", params={"limit": 3})).json()
    assert [channel["id"] for channel in first["channels"]] == ["c0", "c2", "c4"]
    # What comes and goes between two pages neither repeats nor hides the others.
    await app.make_channel("c1x", owner="bob")
    await app.call("DELETE", "/v1/channels/c4")
    second = (
        await app.call("GET", "/v1/channels", as_user="bob", params={"limit": 3, "cursor": first["next_cursor"]})
    ).json()
    assert ([channel["id"] for channel in second["channels"]], second["next_cursor"]) == (["c6"], None)
    assert second["channels"][0]["membership"]["role"] == "owner"


async def test_a_server_lists_all_channels_or_those_of_a_user(app):
    await app.make_users("ann", "bob")
    await app.make_channel("a", owner="ann")
    await app.make_channel("b", "ann", "bob")
    await app.make_channel("c")
    all_of_them = (await app.call("GET", "/v1/channels")).json()["channels"]
    assert [(channel["id"], channel["member_count"], channel["membership"]) for channel in all_of_them] == [
        ("a", 1, None),
        ("b", 2, None),
        ("c", 0, None),
    ]
    anns = (await app.call("GET", "/v1/channels", params={"user_id": "ann"})).json()["channels"]
    assert [(channel["id"], channel["membership"]["role"]) for channel in anns] == [("a", "owner"), ("b", "member")]
    assert (await app.call("GET", "/v1/channels", as_user="ann", params={"user_id": "bob"})).status_code == 403


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!", "a" * 300, encode_cursor("members", "ann"), encode_cursor("channels", "") + "=", "ÿ"]
)
async def test_a_cursor_that_this_list_did_not_make_is_refused(app, cursor):
    answer = await app.call("GET", "/v1/channels", params={"cursor": cursor})
    assert answer.status_code == 422


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many"])
async def test_a_limit_out_of_range_is_refused(app, limit):
    assert (await app.call("GET", "/v1/channels", params={"limit": limit})).status_code == 422


async def test_the_state_of_a_sync_is_what_the_lists_show(app, world):
    await app.make_users("ann")
    await app.make_channel("c0", "ann", custom={"colour": "red"}, name="Den")
    for n in range(1, 3):
        await app.make_channel(f"c{n}", "ann")
    await app.call("DELETE", "/v1/channels/c1")
    state = (await channels_of_user(world.shard, app.id, "ann")).channels
    assert [channel["id"] for channel in state] == ["c0", "c2"]
    assert state == (await app.call("GET", "/v1/channels", as_user="ann")).json()["channels"]


async def test_the_state_of_a_user_without_channels_is_empty(app, world):
    await app.make_users("ann")
    everything = await channels_of_user(world.shard, app.id, "ann")
    assert (everything.channels, everything.horizon > 0) == ([], True)


async def test_an_update_changes_what_is_named_and_is_told_once(app, world):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann", name="Den", image="http://i/1")
    world.clock.advance(timedelta(seconds=1))
    answer = await app.call("PATCH", "/v1/channels/den", {"name": "Lair", "image": None}, as_user="ann")
    channel = answer.json()
    assert (answer.status_code, channel["name"], channel["image"], channel["seq"]) == (200, "Lair", None, 4)
    assert (channel["created_at"][-5:], channel["updated_at"][-5:]) == (".000Z", ".000Z")
    assert channel["updated_at"] > channel["created_at"]
    again = await app.call("PATCH", "/v1/channels/den", {"name": "Lair"}, as_user="ann")
    assert again.json() == channel
    entries = await app.log("c:den")
    assert [entry["type"] for entry in entries[3:]] == ["channel.updated"]
    assert entries[3]["data"]["channel"] == channel | {"membership": None, "capabilities": None}


async def test_only_an_owner_or_the_server_updates_or_deletes(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        answer = await app.call(method, "/v1/channels/den", body, as_user="bob")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    assert (await app.call("PATCH", "/v1/channels/den", {"frozen": True})).json()["frozen"] is True


async def test_a_deleted_channel_is_gone_for_everybody_at_once(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    message, _, _ = await app.send("den", "ann")
    assert (await app.call("DELETE", "/v1/channels/den", as_user="ann")).status_code == 204
    for user in ("ann", "bob", None):
        assert (await app.call("GET", "/v1/channels/den", as_user=user)).status_code == 404
        assert (await app.call("GET", "/v1/channels/den/messages", as_user=user)).status_code == 404
        assert (await app.call("GET", f"/v1/messages/{message}", as_user=user)).status_code == 404
        assert (await app.call("DELETE", f"/v1/messages/{message}", as_user=user)).status_code == 404
        assert (await app.call("DELETE", "/v1/channels/den", as_user=user)).status_code == 404
        assert (await app.call("GET", "/v1/channels", as_user=user)).json()["channels"] == []
    assert (await app.call("PUT", "/v1/channels/den/members/bob")).status_code == 404
    assert (await app.types("c:den"))[-1] == "channel.deleted"


@pytest.mark.parametrize("budget", [timedelta(0), timedelta(seconds=1)])
async def test_after_a_deletion_members_leave_and_content_is_wiped_in_batches(app, world, budget):
    users = [f"u{n}" for n in range(9)]
    await app.make_users(*users)
    await app.make_channel("den", *users, name="Secret", custom={"k": "Secret"})
    await app.call("PATCH", "/v1/channels/den", {"name": "Secret too"})
    sent = [await app.send("den", "u1", f"Secret {n}") for n in range(5)]
    await app.call("PATCH", f"/v1/messages/{sent[0][0]}", {"custom": {"a": "Secret"}})
    await app.call("DELETE", "/v1/channels/den")
    jobs = await run_jobs(world, app, members_batch=4, entries_batch=6, budget=budget)
    # Three batches each when every batch needs a job of its own: 4 + 4 + 1 members, 18 entries by 6.
    assert jobs == (6 if budget == timedelta(0) else 2)

    assert await app.fetch("select 1 from chat.members where app_id = $1") == []
    (told,) = [entry for entry in await app.log("u:u8") if entry["type"] == "membership.removed"]
    last = len(await app.log("c:den"))
    assert told["data"] == {"channel_id": "den", "seq": last}
    rows = await app.fetch("select * from chat.messages where app_id = $1 order by seq")
    assert [(row["seq"], row["number"], row["text"], row["custom"], row["content_hash"]) for row in rows] == [
        (seq, number, "", None, b"") for _, seq, number in sent
    ]
    assert all(row["deleted_at"] is not None for row in rows)
    for table in ("channels", "messages"):
        assert "Secret" not in str(await app.fetch(f"select * from chat.{table} where app_id = $1"))
    assert "Secret" not in str(await app.log("c:den"))
    await app.check_logs()
    (usage,) = await app.fetch("select sum(quantity) as n from chat.usage_outbox where app_id = $1")
    assert usage["n"] == 5


async def test_each_batch_of_a_deletion_begins_behind_the_one_before_it(app, world):
    users = [f"u{n}" for n in range(9)]
    await app.make_users(*users)
    await app.make_channel("den", *users)
    await app.call("DELETE", "/v1/channels/den")
    target = {"app_id": str(app.id), "channel_id": "den"}
    jobs = ChannelJobs(world.shard, members_batch=4, budget=timedelta(0))
    for after in ("u3", "u7", None):
        await app.fetch("delete from chat.outbox where (payload->>'app_id')::uuid = $1")
        async with world.shard.system.unit_of_work() as uow:
            await jobs.disband(uow, target)
        rows = await app.fetch("select payload from chat.outbox where (payload->>'app_id')::uuid = $1")
        assert [orjson.loads(row["payload"])["members_after"] for row in rows] == ([after] if after else [])
        target = orjson.loads(rows[0]["payload"]) if rows else target
    assert await app.fetch("select 1 from chat.members where app_id = $1") == []


async def test_a_deleted_channels_mentions_go_in_batches_to_the_last(app, world):
    await app.make_users("ann")
    await app.make_channel("den", "ann")
    await app.fetch(
        "insert into chat.mentions (app_id, channel_id, user_id, number) "
        "select $1, c, 'u' || n, 1 from generate_series(1, 25) n, (values ('den'), ('other')) x(c)"
    )
    await app.call("DELETE", "/v1/channels/den")
    left = [25]
    async with world.shard.system.unit_of_work() as uow:
        after = 0
        while after is not None:
            after = await uow.session.scalar(
                text("select chat.wipe_channel(:app, 'den', :after, 1, now())"), {"app": app.id, "after": after}
            )
            left.append(await uow.session.scalar(text(COUNT_MENTIONS), {"app": app.id}))
    assert left[:4] == [25, 15, 5, 0]
    assert len(await app.fetch("select 1 from chat.mentions where app_id = $1")) == 25, "of the other channel"


async def test_the_jobs_of_a_deletion_may_run_twice(app, world):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "ann", "bob")
    await app.send("den", "ann", "Secret")
    await app.call("DELETE", "/v1/channels/den")
    jobs = ChannelJobs(world.shard)
    target = {"app_id": str(app.id), "channel_id": "den", "after": 0}
    for _ in range(2):
        async with world.shard.system.unit_of_work() as uow:
            await jobs.disband(uow, target)
            await jobs.purge(uow, target)
    assert await app.types("u:bob") == ["membership.added", "membership.removed"]


async def test_a_channel_that_is_not_deleted_cannot_be_wiped(app, world):
    await app.make_users("ann")
    await app.make_channel("den", "ann")
    with pytest.raises(Exception, match="for deleted channels"):
        async with world.shard.system.unit_of_work() as uow:
            await ChannelJobs(world.shard).purge(uow, {"app_id": str(app.id), "channel_id": "den", "after": 0})


async def test_a_key_without_the_scope_is_refused(app):
    app.server = msgspec.structs.replace(app.server, scopes=("users",))
    answer = await app.call("GET", "/v1/channels")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
