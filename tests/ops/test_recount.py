"""`natter usage recompute`: the chat database, the ledger and the rollup say the same, also after much is gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import text

from billing.usage.ingest import ingest
from control_plane.apps.service import delete_app
from control_plane.organizations.closing import KEPT_FOR
from kernel.contracts import AppSnapshot, UsageReport, UsageRow
from kernel.ids import parse_id
from kernel.settings import ShardSettings
from ops.erasure import ChatEraser
from ops.recount import recount
from ops.seed.tenant import Seeding, Wish, shard_of_the_past
from tests.billing.reports import reporter
from tests.control_plane.conftest import world
from tests.data_plane.conftest import shard_database, shard_databases

__all__ = ["shard_database", "shard_databases", "world"]

WISH = Wish(seed=3, users=20, channels=6, messages=400, months=2, until=datetime(2026, 1, 15, tzinfo=UTC))
SHIP = """
    select o.seq, o.meter, o.quantity, o.at, o.subject from chat.usage_outbox o where o.meter <> 'peak_connections'
    order by random() limit $1
"""


@pytest.mark.parametrize("month", ["2026-01", "2025-12"])
async def test_all_counts_agree_through_deletions_and_notice_what_is_moved(world, shard_database, month):
    tenant = await world.tenant()
    settings = world.deps.settings
    shards = tuple(ShardSettings(id=one.id, database_url=shard_database.url, redis_url="-") for one in settings.shards)
    deps = replace(world.deps, settings=replace(settings, shards=shards))
    relay = await reporter(world, "relay", "r")
    snapshot = AppSnapshot(
        app_id=tenant.app_id, organization_id="org_x", version=1, shard="s0", environment="development", status="active"
    )
    own = parse_id("app", tenant.app_id)

    async def agree() -> dict[str, bool]:
        return {row.meter: row.agrees for row in await recount(deps, tenant.app_id, month)}

    async with shard_of_the_past(shard_database.url, "s0", WISH.until) as shard:
        await Seeding(shard, snapshot, WISH, lambda words: None).run()
        pool = await shard.system.pool()

        async def ship(most: int) -> None:
            rows = await pool.fetch(SHIP, most)
            sent = tuple(UsageRow(app_id=tenant.app_id, **row) for row in rows)
            # Twice, as after a lost receipt.
            for _ in range(2):
                await ingest(deps, relay, UsageReport(source=relay.source, boot="e1", rows=sent))
            await pool.execute("delete from chat.usage_outbox where seq = any($1)", [row["seq"] for row in rows])

        everywhere = dict.fromkeys(("messages", "mau", "peak_connections", "storage_bytes"), True)
        assert await agree() == everywhere, "nothing has been shipped"
        await ship(40)
        assert await agree() == everywhere, "some of it has"
        await ship(1_000)
        # Erase much of it: a message for good, and the content of a channel.
        at = WISH.until - timedelta(hours=1)
        some = await pool.fetch("select id from chat.messages where app_id = $1 order by id limit 9", own)
        async with shard.unit_of_work(own) as uow:
            for row in some:
                values = {"app": own, "id": row["id"], "at": at}
                await uow.session.execute(text("select chat.purge_message(:app, :id, :at)"), values)
        [busy] = await pool.fetch(
            "select channel_id from chat.messages where app_id = $1 group by 1 order by count(*) desc limit 1", own
        )
        await pool.execute("update chat.channels set deleted_at = $3 where app_id = $1 and id = $2", own, *busy, at)
        await pool.fetchval("select chat.wipe_channel($1, $2, 0, 10000, $3)", own, *busy, at)
        assert await agree() == everywhere
        await ship(1_000)
        rows = {row.meter: row for row in await recount(deps, tenant.app_id, month)}
        assert all(row.agrees and not row.waiting for row in rows.values())
        assert rows["messages"].chat == rows["messages"].ledger > 0
        assert (rows["storage_bytes"].chat is None) == (month == "2025-12")

        if month == "2025-12":
            # The app is deleted; after its time everything goes but the counts, and all agree as before.
            await deleted_and_erased(world, shard_database, shard, tenant, own, ship)
            now = {row.meter: row for row in await recount(deps, tenant.app_id, month)}
            assert {meter: (row.ledger, row.chat) for meter, row in now.items()} == {
                meter: (row.ledger, row.chat) for meter, row in rows.items()
            }
            assert all(row.agrees and not row.waiting for row in now.values())
            assert (await recount(deps, tenant.app_id, "2026-01"))[0].agrees
            await pool.execute("update chat.erased_usage set messages = messages - 1 where app_id = $1", own)
            assert not (await agree())["messages"]
            return

        # A message that nobody counted, and one that was counted and is not there.
        await pool.execute("delete from chat.messages where app_id = $1 and created_at >= '2025-12-01'", own)
        assert not (await agree())["messages"]


async def deleted_and_erased(world, shard_database, shard, tenant, own, ship):
    other = await world.tenant("Other")
    neighbour = parse_id("app", other.app_id)
    connection = await asyncpg.connect(shard_database.superuser_url)
    try:
        tables = [
            row["name"]
            for row in await connection.fetch(
                "select c.table_name as name from information_schema.columns c join information_schema.tables t "
                "using (table_schema, table_name) where c.table_schema = 'chat' and c.column_name = 'app_id' "
                "and t.table_type = 'BASE TABLE'"
            )
        ]

        async def left(app):
            found = {}
            for table in tables:
                if count := await connection.fetchval(f"select count(*) from chat.{table} where app_id = $1", app):
                    found[table] = count
            return found

        # Somebody else on the same shard, with something of the same names.
        await connection.execute("set session_replication_role = replica")
        for table in ("users", "members", "messages", "log_heads", "channels"):
            columns = [
                row["column_name"]
                for row in await connection.fetch(
                    "select column_name from information_schema.columns where table_schema = 'chat' "
                    "and table_name = $1 and is_generated = 'NEVER'",
                    table,
                )
            ]
            chosen = ", ".join("$2::uuid" if name == "app_id" else f'"{name}"' for name in columns)
            named = ", ".join(f'"{name}"' for name in columns)
            await connection.execute(
                f"insert into chat.{table} ({named}) overriding system value select {chosen} from chat.{table} "
                "where app_id = $1",
                own,
                neighbour,
            )
        await connection.execute("reset session_replication_role")
        theirs = await left(neighbour)
        assert len(theirs) >= 5
        assert len(await left(own)) >= 8, "there is much to erase"

        eraser = ChatEraser(world.deps, {"s0": shard.system})
        async with world.change() as ctx:
            await delete_app(ctx, own, confirm="Chat")
        assert await eraser.step() == 0, "not at once"
        world.clock.advance(KEPT_FOR - timedelta(seconds=1))
        assert await eraser.step() == 0
        world.clock.advance(timedelta(seconds=1))
        assert await ChatEraser(world.deps, {"s1": shard.system}).step() == 0, "another worker's shard"
        assert await eraser.step() == 1
        assert await eraser.step() == 0
        await ship(10_000)
        assert set(await left(own)) <= {"erased_usage", "app_snapshots", "usage_samples"}
        assert await left(neighbour) == theirs
        words = await connection.fetch(
            "select text from chat.messages where app_id = $1 and text <> '' limit 1", neighbour
        )
        assert words, "what others wrote is there"
    finally:
        await connection.close()
