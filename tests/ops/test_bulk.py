"""What the benchmarks load is what the product would have written."""

import pytest

from data_plane.channels.everything import channels_of_user
from ops.bench import bulk
from ops.bench.bulk import ENTRIES_A_CHANNEL, load_history, load_members
from tests.data_plane.conftest import app, shard_database, shard_databases, world
from tests.data_plane.members.recount import miscounted

__all__ = ["app", "shard_database", "shard_databases", "world"]


@pytest.mark.parametrize("chunk", [1_000_000, 100], ids=["at once", "in parts, indexes afterwards"])
async def test_loaded_logs_are_whole_counted_and_readable(app, world, shard_database, monkeypatch, chunk):
    monkeypatch.setattr(bulk, "CHUNK", chunk)
    await app.make_users("reader", "writer")
    loaded = await load_history(
        shard_database.superuser_url, app.id, prefix="c", channels=12, messages=30, reader="reader", author="writer"
    )
    assert loaded == 12 * (30 + ENTRIES_A_CHANNEL)
    await app.check_logs()
    assert await miscounted(await world.shard.system.pool(), app.id) == []
    channels, _, _, horizon = await channels_of_user(world.shard, app.id, "reader")
    assert [channel["last_number"] for channel in channels] == [30] * 12
    page = (await app.call("GET", "/v1/channels/c7/messages", as_user="reader", params={"limit": "10"})).json()
    assert [message["number"] for message in page["messages"]] == list(range(21, 31))
    # The past is over: a cursor of now has nothing before it, and what comes is all there is.
    _, seq, number = await app.send("c7", "writer", "news")
    assert (seq, number) == (34, 31)
    changes = await world.shard.reader.changes(app.id, "reader", horizon, limit=100)
    assert [(entry.log, entry.seq) for entry in changes.entries] == [("c:c7", 34)]
    replayed = await world.shard.reader.changes(app.id, "reader", 1, limit=10_000)
    assert len(replayed.entries) == loaded + 1


async def test_loaded_members_are_in_the_logs_and_counted(app, world, shard_database):
    await app.make_users("ann", "m1")
    await app.make_channel("hall", "ann", "m1")
    await app.make_channel("den", "m1")
    await app.call("DELETE", "/v1/channels/hall/members/m1")
    await app.send("hall", "ann")
    await load_members(shard_database.superuser_url, app.id, channel="hall", prefix="m", count=20)
    await app.check_logs()
    assert await miscounted(await world.shard.system.pool(), app.id) == []
    await app.send("hall", "ann", "news")
    unread = (await app.call("GET", "/v1/unread", as_user="m19")).json()
    assert [(each["channel_id"], each["unread"]) for each in unread["channels"]] == [("hall", 1)]
    page = (await app.call("GET", "/v1/channels/hall/members", as_user="m1", params={"limit": "5"})).json()
    assert [member["user_id"] for member in page["members"]] == ["ann", "m0", "m1", "m10", "m11"]
