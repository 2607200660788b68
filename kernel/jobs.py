"""Jobs: dramatiq carries the ids of outbox rows to worker threads, which run them on the process's event loop.

The queue holds no truth. Losing it costs at most one lease of delay, see `kernel.outbox`.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import CancelledError

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications, TimeLimit

from kernel.logging import get_logger
from kernel.outbox import OutboxRunner

_log = get_logger(__name__)


class JobQueue:
    """Hands outbox rows of several databases to dramatiq and runs what comes back."""

    def __init__(self, redis_url: str, runners: Mapping[str, OutboxRunner], *, threads: int = 4) -> None:
        self._runners = runners
        self._threads = threads
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: dramatiq.Worker | None = None
        # Retries stay with the outbox row, which survives the queue; the queue itself tries once.
        middleware = [
            AgeLimit(),
            TimeLimit(),
            ShutdownNotifications(),
            Callbacks(),
            Pipelines(),
            Retries(max_retries=0),
        ]
        self._broker = RedisBroker(  # type: ignore[no-untyped-call]
            url=redis_url, middleware=middleware, namespace="natter-jobs"
        )
        declare = dramatiq.actor(actor_name="outbox", queue_name="outbox", broker=self._broker, max_retries=0)
        self._actor = declare(self._run_blocking)

    def start(self) -> None:
        """Begin to consume, on threads of this process. Call from the event loop that owns the databases."""
        self._loop = asyncio.get_running_loop()
        self._worker = dramatiq.Worker(self._broker, worker_threads=self._threads, worker_timeout=500)
        self._worker.start()

    async def stop(self) -> None:
        """Finish what runs, then stop consuming."""
        if self._worker is not None:
            await asyncio.to_thread(self._worker.stop, 10_000)
        self._broker.close()

    async def hand_over(self, limit: int = 100) -> int:
        """Hand every due row to the queue; returns how many. Raises the queue's error when Redis is away."""
        count = 0
        for name, runner in self._runners.items():
            ids = await runner.take_due(limit)
            for row_id in ids:
                await asyncio.to_thread(self._actor.send, name, row_id)
            count += len(ids)
        return count

    def _run_blocking(self, database: str, row_id: int) -> None:
        if self._loop is None:
            raise RuntimeError("the job queue was not started")
        runner = self._runners.get(database)
        if runner is None:
            _log.error("jobs.unknown_database", database=database, outboxId=row_id)
            return
        future = asyncio.run_coroutine_threadsafe(runner.run(row_id), self._loop)
        try:
            future.result()
        except CancelledError:
            _log.warning("jobs.cancelled", outboxId=row_id)
