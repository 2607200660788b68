"""Connections of real clients to real nodes, as the shard counts them."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from data_plane.usage.minutes import GRACE, close_minutes
from kernel.clock import ManualClock
from kernel.db import Database
from tests.clients.installation import Installation
from tests.engines import Engines, TemporaryDatabase
from tests.invariants.wire import Wire


@pytest.fixture
async def installation(
    engines: Engines, chat_database: TemporaryDatabase, free_ports: Callable[[int], list[int]]
) -> AsyncIterator[Installation]:
    """Two nodes."""
    installation = Installation(chat_database.url, engines.redis_url)
    await (await installation.tenant()).close()
    for port in free_ports(2):
        await installation.start_node(port)
    yield installation
    await installation.stop()


async def test_nodes_that_stop_leave_the_open_minutes_peaks_in_the_shard(
    installation: Installation, chat_database: TemporaryDatabase
) -> None:
    tenant, other = await installation.tenant(), await installation.tenant()
    first, second = (running.url for running in installation.nodes)
    wires = [await Wire.open(first, {"token": tenant.token(f"user-{n}")}) for n in range(3)]
    await wires.pop().close()
    wires += [await Wire.open(second, {"token": tenant.token(f"user-{n}")}) for n in range(2)]
    wires.append(await Wire.open(second, {"token": other.token("ada")}))
    refused = await Wire.open(first, {"token": tenant.token("ada")[:-4] + "AAAA"})
    assert refused.refusal is not None
    for running in installation.nodes:
        await running.stop()
    installation.nodes.clear()
    for wire in (*wires, refused):
        await wire.close()

    database = Database(chat_database.url, role="natter_engine")
    pool = await database.pool()
    samples = await pool.fetch("select node, max(quantity) as peak from chat.usage_samples group by app_id, node")
    assert sorted((row["node"], row["peak"]) for row in samples) == [("node0", 3), ("node1", 1), ("node1", 2)]
    later = ManualClock(installation.clock.now() + timedelta(minutes=1) + GRACE)
    await close_minutes(database, later)
    rows = await pool.fetch(
        "select app_id, max(quantity) as peak from chat.usage_outbox where meter = 'peak_connections' group by 1"
    )
    # Should a minute have ended in between, its connections stand in both, so the sums never exceed these.
    assert sorted(row["peak"] for row in rows) in ([1, 5], [1, 4])
    await database.close()
    await tenant.close()
    await other.close()
