"""Gather the values of what was stored before a declaration, and remove those of one that is gone.

Writers keep values by triggers, which look at the declarations that are committed. A transaction that wrote just
before the declaration was committed may not have seen it and may not be seen yet itself; so a job first waits for all
that were open when it began (as `create index concurrently` does), and only then reads.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from data_plane.shard import Shard
from kernel.db import UnitOfWork
from kernel.outbox import Handler

FILL: Final = "index.fill"
DROP: Final = "index.drop"
AGAIN: Final = timedelta(milliseconds=300)
"""Between two looks whether the older transactions have ended."""

_OPEN: Final = text("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
_HORIZON: Final = text("select chat.horizon()")
_FILL: Final = text("select chat.fill_index(cast(:app as uuid), :index, :after, :limit)")
_DROP: Final = text(
    "with gone as (select app_id, index_id, id, nth from chat.field_values "
    "where app_id = cast(:app as uuid) and index_id = :index limit :limit) "
    "delete from chat.field_values v using gone g "
    "where (v.app_id, v.index_id, v.id, v.nth) = (g.app_id, g.index_id, g.id, g.nth)"
)


class IndexJobs:
    """The handlers. `batch` is things in one transaction, `budget` how long one job goes on. Both may run twice."""

    def __init__(self, shard: Shard, *, batch: int = 500, budget: timedelta = timedelta(seconds=1)) -> None:
        self._shard = shard
        self._batch = batch
        self._budget = budget.total_seconds()

    def handlers(self) -> Mapping[str, Handler]:
        """By topic, for the shard's outbox runner."""
        return {FILL: self.fill, DROP: self.drop}

    async def fill(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Gather values, batch by batch, each in a transaction of its own; the last one makes the index ready."""
        if await self._must_wait(uow, FILL, payload):
            return
        started = self._shard.clock.monotonic()
        after: str | None = payload["after"]
        while after is not None:
            async with self._shard.system.unit_of_work() as own:
                values = {"app": UUID(payload["app_id"]), "index": payload["index_id"], "after": after}
                after = await own.session.scalar(_FILL, values | {"limit": self._batch})
            if after is not None and self._shard.clock.monotonic() - started >= self._budget:
                await self._shard.outbox.put(uow, FILL, payload | {"after": after}, now=self._shard.clock.now())
                return

    async def drop(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Remove the values of an index that is declared no more."""
        if await self._must_wait(uow, DROP, payload):
            return
        started = self._shard.clock.monotonic()
        while True:
            async with self._shard.system.unit_of_work() as own:
                values = {"app": UUID(payload["app_id"]), "index": payload["index_id"], "limit": self._batch}
                result: Any = await own.session.execute(_DROP, values)
            if result.rowcount < self._batch:
                return
            if self._shard.clock.monotonic() - started >= self._budget:
                await self._shard.outbox.put(uow, DROP, payload, now=self._shard.clock.now())
                return

    async def _must_wait(self, uow: UnitOfWork, topic: str, payload: dict[str, Any]) -> bool:
        """Whether a transaction may be open that did not see the change; a successor looks again then."""
        now = self._shard.clock.now()
        if payload["horizon"] is None:
            first: int = (await uow.session.execute(_OPEN)).scalar_one()
            await self._shard.outbox.put(uow, topic, payload | {"horizon": first}, now=now)
            return True
        if (await uow.session.execute(_HORIZON)).scalar_one() < payload["horizon"]:
            await self._shard.outbox.put(uow, topic, payload, now=now, delay=AGAIN)
            return True
        return False
