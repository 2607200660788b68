"""`natter usage recompute`: the chat database, the ledger and the rollup say the same, also after much is gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from billing.usage.ingest import ingest
from kernel.contracts import AppSnapshot, UsageReport, UsageRow
from kernel.ids import parse_id
from kernel.settings import ShardSettings
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

        # A message that nobody counted, and one that was counted and is not there.
        await pool.execute("delete from chat.messages where app_id = $1 and created_at >= '2025-12-01'", own)
        assert not (await agree())["messages"]
