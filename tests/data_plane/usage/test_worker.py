"""What a worker does beside shipping usage: side effects and sweeping."""

import asyncio
from datetime import timedelta

from data_plane.retention import Retention
from data_plane.worker import ShardWorker, hand_over_for_ever
from kernel.jobs import JobQueue
from tests.data_plane.tenancy.control import Control

COMMIT = "insert into chat.commits (xid, at, apps, logs, seqs) values ($1, $2, '{}', '{}', '{}')"


async def execute(node, statement, *args):
    pool = await node.system.pool()
    await pool.executemany(statement, args)


async def test_old_commits_go_and_young_or_undecided_ones_stay(node):
    now = node.clock.now()
    old, young = now - timedelta(hours=2), now - timedelta(minutes=59)
    pool = await node.system.pool()
    horizon = await pool.fetchval("select chat.horizon()")
    rows = [(1 + i % 3, old) for i in range(2500)] + [(4, young), (horizon + 1000, old)]
    await execute(node, COMMIT, *rows)
    removed = await Retention(node.system, node.clock).sweep()
    assert removed["commits"] == 2500
    left = await node.rows("select xid from chat.commits order by xid")
    assert [row["xid"] for row in left] == [4, horizon + 1000]


async def test_expired_refresh_tokens_and_old_idempotency_keys_go(node, api):
    await api.post("/v1/tokens", json={"user_id": "ada"}, headers=node.server())
    node.clock.advance(timedelta(days=6))
    await api.post("/v1/tokens", json={"user_id": "ada"}, headers=node.server())
    now = node.clock.now()
    key = "insert into chat.idempotency_keys values ($1, 'c', $2, 'f', 200, '{}', $3)"
    app = node.tenant.app_id
    await execute(node, key, (app, "old", now - timedelta(hours=25)), (app, "young", now - timedelta(hours=23)))
    node.clock.advance(timedelta(days=1))
    await execute(node, key, (app, "new", node.clock.now()))
    removed = await Retention(node.system, node.clock).sweep()
    assert removed == {"commits": 0, "refresh_tokens": 1, "idempotency_keys": 2, "usage_samples": 0}
    assert len(await node.rows("select * from chat.refresh_tokens")) == 1


async def test_a_worker_ships_and_runs_side_effects_until_it_is_cancelled(node, serve, redis_url):
    control, done = Control(), []

    async def handle(uow, payload):
        done.append(payload)

    worker = ShardWorker(
        shard_id="s0",
        database=node.system,
        control_url=(await serve(control.app())).url,
        credential="nk_relay",
        clock=node.clock,
        handlers={"greet": handle},
    )
    async with node.shard.unit_of_work(node.tenant.app_id) as uow:
        await node.shard.outbox.put(uow, "greet", {"name": "ada"}, now=node.clock.now())
    await node.activity.touch(node.tenant.snapshot, node.tenant.app_id, "ada", node.clock.now())
    queue = JobQueue(redis_url, {worker.name: worker.runner})
    queue.start()
    tasks = [asyncio.create_task(worker.run()), asyncio.create_task(hand_over_for_ever(queue))]
    for _ in range(500):
        if done and control.ledger and not await node.rows("select 1 as x from chat.outbox"):
            break
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await queue.stop()
    assert done == [{"name": "ada"}]
    assert len(control.ledger) == 1
    assert await node.rows("select * from chat.outbox") == []
