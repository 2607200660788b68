"""What tests of queries share."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from data_plane.indexes.jobs import IndexJobs
from kernel.outbox import OutboxRunner

Jobs = Callable[..., Awaitable[int]]


@pytest.fixture
def run_jobs(world: Any, app: Any) -> Jobs:
    """Run the app's index jobs until none is left; returns how many ran."""

    async def run(**limits: Any) -> int:
        runner = OutboxRunner(world.shard.system, "chat", IndexJobs(world.shard, **limits).handlers(), world.clock)
        count = 0
        while rows := await app.fetch(
            "select id from chat.outbox where (payload->>'app_id')::uuid = $1 and topic like 'index.%' order by id"
        ):
            for row in rows:
                assert await runner.run(row["id"])
                count += 1
        return count

    return run
