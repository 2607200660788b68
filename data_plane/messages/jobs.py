"""What follows when a message is deleted for good: entries of the log that tell what others added to it are emptied."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from data_plane.messages.views import MessageRow
from data_plane.shard import Shard
from kernel.db import UnitOfWork
from kernel.ids import format_id
from kernel.outbox import Handler

FORGET: Final = "message.forget"
_SOME: Final = text("select chat.forget_entries(cast(:app as uuid), :channel, :message, :after, :limit)")


async def forget_entries(shard: Shard, uow: UnitOfWork, app_id: UUID, row: MessageRow, at: datetime) -> None:
    """Have the job done, once this transaction is committed."""
    job = {
        "app_id": str(app_id),
        "channel_id": row.channel_id,
        "message_id": format_id("msg", row.id),
        "after": row.seq,
    }
    await shard.outbox.put(uow, FORGET, job, now=at)


class MessageJobs:
    """The handlers. `batch` is log entries in one transaction, `budget` how long one job goes on. All may run twice."""

    def __init__(self, shard: Shard, *, batch: int = 1_000, budget: timedelta = timedelta(seconds=1)) -> None:
        self._shard = shard
        self._batch = batch
        self._budget = budget.total_seconds()

    def handlers(self) -> Mapping[str, Handler]:
        """By topic, for the shard's outbox runner."""
        return {FORGET: self.forget}

    async def forget(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Empty the entries about reactions to the message and pins of it; they keep their place in the log."""
        started = self._shard.clock.monotonic()
        after: int | None = payload["after"]
        while after is not None:
            after = await self._forget_some(payload | {"after": after})
            if after is not None and self._shard.clock.monotonic() - started >= self._budget:
                await self._shard.outbox.put(uow, FORGET, payload | {"after": after}, now=self._shard.clock.now())
                return

    async def _forget_some(self, payload: dict[str, Any]) -> int | None:
        asked = {
            "app": UUID(payload["app_id"]),
            "channel": payload["channel_id"],
            "message": payload["message_id"],
            "after": payload["after"],
            "limit": self._batch,
        }
        async with self._shard.system.unit_of_work() as uow:
            where_next: int | None = await uow.session.scalar(_SOME, asked)
            return where_next
