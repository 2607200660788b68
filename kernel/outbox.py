"""The transactional outbox: what must happen after a commit is a row of that commit.

A relay hands due rows to the job queue; the job does its work and deletes the row in one transaction. Only the
deletion ends a row's life: a job that is lost (a killed worker, an emptied Redis) is handed over again when its
lease runs out. So a handler's database effects happen exactly once, and its outside effects at least once.

Each database has its own table, made by `OUTBOX_TABLE` in that database's migrations.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from kernel.clock import Clock
from kernel.db import Database, UnitOfWork
from kernel.logging import get_logger

OUTBOX_TABLE: Final = """
create table {schema}.outbox (
    id          bigint generated always as identity primary key,
    topic       text not null,
    payload     jsonb not null,
    created_at  timestamptz not null,
    due_at      timestamptz not null,
    attempts    int not null default 0,
    last_error  text,
    dead_at     timestamptz
);
create index outbox_due on {schema}.outbox (due_at) where dead_at is null;
"""

LEASE: Final = timedelta(seconds=60)
"""How long a handed-over row may take before it is handed over again."""

MAX_ATTEMPTS: Final = 12
"""With the back-off below, about a day of trying; then the row is a dead letter, kept for an operator."""

Handler = Callable[[UnitOfWork, dict[str, Any]], Awaitable[None]]

_log = get_logger(__name__)


class Outbox:
    """Writes rows. Bound to one schema; the session decides the database and the transaction."""

    def __init__(self, schema: str) -> None:
        self._insert = text(
            f"insert into {schema}.outbox (topic, payload, created_at, due_at) "  # noqa: S608 - our own schema name
            "values (:topic, cast(:payload as jsonb), :now, :due)"
        )

    async def put(
        self,
        uow: UnitOfWork,
        topic: str,
        payload: Mapping[str, Any],
        *,
        now: datetime,
        delay: timedelta | None = None,
    ) -> None:
        """Promise that the topic's handler runs with this payload, if and only if the transaction commits."""
        row = {
            "topic": topic,
            "payload": json.dumps(payload),
            "now": now,
            "due": now + (delay or timedelta()),
        }
        await uow.session.execute(self._insert, row)


class OutboxRunner:
    """Takes due rows and runs single rows, for one database."""

    def __init__(self, database: Database, schema: str, handlers: Mapping[str, Handler], clock: Clock) -> None:
        self._database = database
        self._handlers = handlers
        self._clock = clock
        table = f"{schema}.outbox"
        self._take = text(
            f"update {table} set due_at = :lease where id in (select id from {table} "  # noqa: S608
            "where dead_at is null and due_at <= :now order by due_at limit :n for update skip locked) returning id"
        )
        self._load = text(
            f"select topic, payload, attempts from {table} "  # noqa: S608
            "where id = :id and dead_at is null for update skip locked"
        )
        self._delete = text(f"delete from {table} where id = :id")  # noqa: S608
        self._fail = text(
            f"update {table} set attempts = attempts + 1, last_error = :error, "  # noqa: S608
            "due_at = :due, dead_at = case when attempts + 1 >= :most then cast(:now as timestamptz) end where id = :id"
        )

    async def take_due(self, limit: int = 100) -> list[int]:
        """Lease up to `limit` due rows and return their ids, for the caller to hand to the queue."""
        now = self._clock.now()
        async with self._database.unit_of_work() as uow:
            result = await uow.session.execute(self._take, {"now": now, "lease": now + LEASE, "n": limit})
            return [row.id for row in result]

    async def run(self, row_id: int) -> bool:
        """Run one row's handler and delete the row, in one transaction.

        Returns false when there is nothing to do: done already, dead, or another worker has it now. A handler's
        exception is recorded on the row, which comes back later with exponential back-off.
        """
        attempts = 0
        try:
            async with self._database.unit_of_work() as uow:
                row = (await uow.session.execute(self._load, {"id": row_id})).one_or_none()
                if row is None:
                    return False
                attempts = row.attempts
                handler = self._handlers.get(row.topic)
                if handler is None:
                    raise LookupError(f"no handler for the topic {row.topic!r}")
                await handler(uow, row.payload)
                await uow.session.execute(self._delete, {"id": row_id})
        except Exception as error:
            _log.exception("outbox.failed", outboxId=row_id, attempts=attempts + 1)
            now = self._clock.now()
            wait = timedelta(seconds=min(2**attempts * 2, 6 * 3600))
            async with self._database.unit_of_work() as uow:
                values = {
                    "id": row_id,
                    "error": repr(error)[:2000],
                    "due": now + wait,
                    "now": now,
                    "most": MAX_ATTEMPTS,
                }
                await uow.session.execute(self._fail, values)
            return False
        return True
