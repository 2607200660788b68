"""What a worker process does for one shard: ship usage, run side effects, sweep."""

import asyncio
from collections.abc import Mapping

import httpx

from data_plane.backoff import Backoff
from data_plane.retention import Retention
from data_plane.usage.relay import UsageRelay
from kernel.clock import Clock
from kernel.db import Database
from kernel.jobs import JobQueue
from kernel.logging import get_logger
from kernel.outbox import Handler, OutboxRunner

SWEEP_PERIOD = 60.0
HAND_OVER_PERIOD = 0.5
_log = get_logger(__name__)


class ShardWorker:
    """One shard's part of a worker process.

    `database` connects as `natter_engine`. `handlers` maps outbox topics to what they do; they run through `runner`,
    which belongs under this worker's `name` in the process's `JobQueue`.
    """

    def __init__(
        self,
        *,
        shard_id: str,
        database: Database,
        control_url: str,
        credential: str,
        clock: Clock,
        handlers: Mapping[str, Handler],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = f"chat:{shard_id}"
        self.runner = OutboxRunner(database, "chat", handlers, clock)
        self.relay = UsageRelay(
            shard_id=shard_id,
            database=database,
            control_url=control_url,
            credential=credential,
            clock=clock,
            transport=transport,
        )
        self.retention = Retention(database, clock)

    async def run(self) -> None:
        """Work until cancelled. No outage of an engine or of the control plane ends it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.relay.run(), name=f"{self.name}-relay")
                group.create_task(self._sweep_for_ever(), name=f"{self.name}-retention")
        finally:
            await self.relay.close()

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                removed = await self.retention.sweep()
            except Exception as error:
                _log.warning("retention.failed", shard=self.name, error=repr(error))
            else:
                if any(removed.values()):
                    _log.info("retention.swept", shard=self.name, **removed)
            await asyncio.sleep(SWEEP_PERIOD)


async def hand_over_for_ever(queue: JobQueue) -> None:
    """Hand due outbox rows of every database in the queue to its workers, until cancelled."""
    backoff = Backoff()
    while True:
        try:
            handed = await queue.hand_over()
        except Exception as error:
            wait = backoff.next()
            _log.warning("jobs.hand_over_failed", error=repr(error), retryIn=round(wait, 1))
            await asyncio.sleep(wait)
            continue
        backoff.reset()
        if not handed:
            await asyncio.sleep(HAND_OVER_PERIOD)
