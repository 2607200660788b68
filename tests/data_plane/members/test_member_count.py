import asyncio
import importlib

from tests.data_plane.members.recount import miscounted

backfill = importlib.import_module("ops.migrations.chat.versions.0007_member_counts")


async def test_every_way_in_and_out_is_counted(app, world):
    await app.make_users(*(f"u{n}" for n in range(30)))
    await app.make_channel("den", *(f"u{n}" for n in range(5)), owner="u0")
    await app.make_channel("gone", "u1", "u2")
    await app.call("POST", "/v1/channels/den/members", {"user_ids": [f"u{n}" for n in range(3, 9)]})
    await app.call("PUT", "/v1/channels/den/members/u9", {})
    await app.call("DELETE", "/v1/channels/den/members/u4", as_user="u4")
    await app.call("DELETE", "/v1/channels/gone")
    assert (await app.call("GET", "/v1/channels/den")).json()["member_count"] == 9
    pool = await world.shard.system.pool()
    assert await miscounted(pool, app.id) == []


async def test_members_who_come_and_go_at_once_are_counted(app, world):
    await app.make_users("owner", *(f"u{n}" for n in range(24)))
    await app.make_channel("den", "owner", owner="owner")
    await app.make_channel("pit", "owner", owner="owner")
    joins = [app.call("PUT", f"/v1/channels/{c}/members/u{n}", {}) for n in range(24) for c in ("den", "pit")]
    await asyncio.gather(*joins)
    leaves = [app.call("DELETE", f"/v1/channels/den/members/u{n}") for n in range(0, 24, 2)]
    joins = [app.call("PUT", f"/v1/channels/den/members/u{n}", {}) for n in range(24)]
    await asyncio.gather(*leaves, *joins)
    assert await miscounted(await world.shard.system.pool(), app.id) == []


async def test_the_recount_notices_a_writer_that_is_not_counted(app, world, shard_database):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "ann")
    connection = await shard_database.connect()
    try:
        await connection.execute("alter table chat.members disable trigger members_added")
        await app.call("PUT", "/v1/channels/den/members/bob", {})
        assert await miscounted(connection, app.id) == ["c:den"]
    finally:
        await connection.execute("alter table chat.members enable trigger members_added")
        await connection.close()


async def test_channels_from_before_are_counted_while_members_come_and_go(app, world, shard_database):
    await app.make_users(*(f"u{n}" for n in range(20)))
    for n in range(40):
        await app.make_channel(f"c{n}", "u0", "u1")
    connection = await shard_database.connect()
    try:
        # As 0006 leaves it.
        await connection.execute("update chat.log_heads set member_count = null")

        async def count() -> None:
            await connection.execute("set role natter_engine")
            await connection.execute(backfill._BACKFILL)
            await connection.execute("reset role")

        comings = [app.call("PUT", f"/v1/channels/c{n}/members/u{2 + n % 18}", {}) for n in range(16)]
        goings = [app.call("DELETE", f"/v1/channels/c{n}/members/u1") for n in range(16)]
        await asyncio.gather(count(), *comings, *goings)
        await count()
        assert await miscounted(connection, app.id) == []
        assert await connection.fetchval("select count(*) from chat.log_heads where member_count is null") == 0
    finally:
        await connection.close()
