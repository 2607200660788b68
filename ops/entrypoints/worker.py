"""`natter worker`: side effects, usage reports and sweeps of every shard, and the control plane's jobs, on one loop."""

import asyncio
import os
import signal
from pathlib import Path

import uvloop

from billing.alerts import AlertJobs
from billing.dunning import DunningJobs, DunningKeeper
from billing.invoices.closing import Closer
from control_plane.context import Deps
from control_plane.keys.key_sets import KeySetReader
from control_plane.keys.leaks import LeakJobs
from control_plane.mail.delivery import Courier, mailer_of
from data_plane.backoff import Backoff
from data_plane.channels.jobs import ChannelJobs
from data_plane.grants.store import GrantStore
from data_plane.indexes.jobs import IndexJobs
from data_plane.log import LogReader, LogWriter
from data_plane.messages.jobs import MessageJobs
from data_plane.shard import Shard
from data_plane.worker import ShardWorker, hand_over_for_ever
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.ids import Ids
from kernel.jobs import JobQueue
from kernel.logging import configure_logging, get_logger
from kernel.outbox import Outbox, OutboxRunner
from kernel.redis_url import cluster_members
from kernel.security.vault import Vault
from kernel.settings import Settings, SettingsError, ShardSettings
from kernel.tasks import end_tasks
from ops.erasure import ChatEraser

_log = get_logger(__name__)


class Worker:
    """The process's parts: one `ShardWorker` for each shard, one queue for all databases."""

    def __init__(self, settings: Settings) -> None:
        settings.require("master_key", "database_url")
        self._settings = settings
        self._shards = settings.all_shards()
        self._jobs_redis_url = settings.jobs_redis_url or settings.redis_url or self._shards[0].redis_url
        if not self._jobs_redis_url:
            settings.require("redis_url")
        if cluster_members(self._jobs_redis_url):
            raise SettingsError("Jobs need a Redis that is no cluster: set NATTER_JOBS_REDIS_URL.")
        self._credentials = {shard.id: _credential(settings, shard) for shard in self._shards}
        self._vault = Vault(settings.master_key)
        self._mailer = mailer_of(settings)
        self._clock = SystemClock()
        self._databases: list[Database] = []
        self._engines: dict[str, Database] = {}

    async def run(self, stop: asyncio.Event, ready_file: Path | None = None) -> None:
        """Work until told to stop, then let running jobs finish. Once it works, `ready_file` holds the process id."""
        workers = [await self._shard_worker(shard) for shard in self._shards]
        deps = self._management()
        runners = {worker.name: worker.runner for worker in workers}
        handlers = {**AlertJobs(deps).handlers(), **LeakJobs(deps).handlers(), **DunningJobs(deps).handlers()}
        stripe = None
        if deps.settings.billing == "stripe":
            # Its library takes a second to import, and nobody without Stripe needs it.
            from billing.provider.stripe.worker import StripeWorker

            stripe = StripeWorker(deps)
            handlers |= stripe.handlers()
        runners["control"] = OutboxRunner(deps.database, "control", handlers, self._clock)
        queue = JobQueue(self._jobs_redis_url, runners)
        queue.start()
        tasks = [asyncio.create_task(worker.run(), name=worker.name) for worker in workers]
        tasks.append(asyncio.create_task(hand_over_for_ever(queue), name="hand-over"))
        courier = Courier(deps.database, self._vault, self._clock, self._mailer)
        tasks.append(asyncio.create_task(courier.run(), name="courier"))
        tasks.append(asyncio.create_task(Closer(deps).run(), name="billing-closer"))
        tasks.append(asyncio.create_task(ChatEraser(deps, self._engines).run(), name="chat-eraser"))
        tasks.append(asyncio.create_task(KeySetReader(deps).run(), name="key-sets"))
        tasks.append(asyncio.create_task(DunningKeeper(deps).run(), name="dunning-keeper"))
        if stripe is not None:
            tasks.append(asyncio.create_task(stripe.run(), name="stripe"))
        _log.info("worker.started", shards=[shard.id for shard in self._shards])
        if ready_file is not None:
            await asyncio.to_thread(ready_file.write_text, str(os.getpid()))
        told = asyncio.create_task(stop.wait())
        try:
            # None of them ends by itself: whoever does takes the process along, to be started afresh.
            done, _ = await asyncio.wait({*tasks, told}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            _log.info("worker.stopping")
            await end_tasks([*tasks, told])
            await queue.stop()
            if stripe is not None:
                await stripe.close()
            for database in self._databases:
                await database.close()

    async def _shard_worker(self, shard: ShardSettings) -> ShardWorker:
        engine = self._engines[shard.id] = self._connect(shard.database_url, "natter_engine")
        epoch = await _epoch(engine, shard.id)
        parts = Shard(
            id=shard.id,
            epoch=epoch,
            tenant=self._connect(shard.database_url, "natter_app"),
            system=engine,
            # Nodes follow the log, so what a job appends reaches clients without a hint on the bus.
            logs=LogWriter(epoch, lambda entries: None),
            reader=LogReader(engine, epoch),
            grants=GrantStore(engine),
            outbox=Outbox("chat"),
            clock=self._clock,
            ids=Ids(self._clock),
            vault=self._vault,
        )
        return ShardWorker(
            shard_id=shard.id,
            database=engine,
            control_url=self._settings.control_url,
            credential=self._credentials[shard.id],
            clock=self._clock,
            handlers={
                **ChannelJobs(parts).handlers(),
                **MessageJobs(parts).handlers(),
                **IndexJobs(parts).handlers(),
            },
        )

    def _management(self) -> Deps:
        """The control plane's parts, for its jobs."""
        url = self._settings.database_url
        return Deps(
            settings=self._settings,
            database=self._connect(url, "natter_control"),
            portal_database=self._connect(url, "natter_portal"),
            vault=self._vault,
            clock=self._clock,
        )

    def _connect(self, url: str, role: str) -> Database:
        database = Database(url, role=role, pool_size=self._settings.database_pool, name="natter-worker")
        self._databases.append(database)
        return database


def _credential(settings: Settings, shard: ShardSettings) -> str:
    credential = shard.relay_credential or settings.credential
    if not credential:
        raise SettingsError(
            f"The worker needs a credential to report the usage of shard {shard.id!r}: `relay_credential` in "
            "NATTER_SHARDS, or NATTER_CREDENTIAL where there is one shard. "
            f"natter credential create --kind relay --name {shard.id} --shard {shard.id} makes one."
        )
    if not shard.database_url:
        settings.require("database_url")
    return credential


async def _epoch(database: Database, shard: str) -> str:
    """The life of the shard's logs. Waits for the database, which may start after the worker."""
    backoff = Backoff()
    while True:
        try:
            pool = await database.pool()
            epoch: str = await pool.fetchval("select epoch from chat.shard")
        except Exception as error:
            wait = backoff.next()
            _log.warning("worker.waits_for_database", shard=shard, error=repr(error), retryIn=round(wait, 1))
            await asyncio.sleep(wait)
        else:
            return epoch


async def _serve(worker: Worker, ready_file: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await worker.run(stop, ready_file)


def main(settings: Settings, *, ready_file: Path | None = None) -> None:
    """Configure the process and work. Raises `SettingsError` naming what is missing."""
    configure_logging("worker", level=settings.log_level, format=settings.log_format)
    uvloop.run(_serve(Worker(settings), ready_file))
