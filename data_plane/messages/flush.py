"""Group commit: while one flush is in flight the next batch gathers. No timers; latency is one flush at most.

A lane is one writer with one transaction in flight. All sends of a channel take the same lane, so that a process
never waits for itself on a channel's lock.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from kernel.clock import Clock, month_of, truncate_ms
from kernel.errors import Unavailable
from kernel.http.problems import database_is_away
from kernel.logging import get_logger

MAX_BATCH: Final = 200
"""Messages in one flush: enough to spread the cost of a commit, few enough locks to hold."""

_SQL: Final = "select * from chat.append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
_log = get_logger(__name__)


class Overloaded(Unavailable):
    """More messages wait than this node will hold. Nothing was stored; send again with the same id."""

    code = "overloaded"
    title = "The server is busy"


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A validated send. `attachments` and `custom` are JSON text or null."""

    app_id: UUID
    channel_id: str
    id: UUID
    user_id: str
    text: str
    attachments: str | None
    custom: str | None
    silent: bool
    content_hash: bytes
    by_server: bool
    count_active: bool
    subject: str


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What became of one message. `verdict` as `chat.append_messages` documents; the rest is set when it is stored."""

    verdict: str
    seq: int
    number: int
    created_at: datetime


class Pool(Protocol):
    """The part of asyncpg's pool that a flush uses."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Run a prepared statement and return its rows."""
        ...


class _Waiting(msgspec.Struct, gc=False):
    message: NewMessage
    done: "asyncio.Future[Verdict]"


class Flusher:
    """The lanes of one node. `stored` hears each batch's created messages after the commit, before anyone is answered,
    so that whoever reads its own write finds it delivered too."""

    def __init__(
        self,
        pool: Callable[[], Any],
        clock: Clock,
        stored: Callable[[list[tuple[NewMessage, Verdict]]], None],
        *,
        lanes: int = 2,
        max_waiting: int = 5_000,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._stored = stored
        self._max_waiting = max_waiting
        self._queues: list[deque[_Waiting]] = [deque() for _ in range(lanes)]
        self._tasks: list[asyncio.Task[None] | None] = [None] * lanes

    @property
    def waiting(self) -> int:
        """Messages that are queued and not yet in a flush."""
        return sum(map(len, self._queues))

    async def append(self, message: NewMessage) -> Verdict:
        """Store one message and return what became of it, once that is durable.

        Raises `Overloaded` at once when too many wait, `Unavailable` when the database is away; in both cases, also
        in the second, where the outcome is not known, the same id makes the retry safe.
        """
        lane = hash((message.app_id, message.channel_id)) % len(self._queues)
        queue = self._queues[lane]
        if len(queue) >= self._max_waiting:
            raise Overloaded()
        waiting = _Waiting(message, asyncio.get_running_loop().create_future())
        queue.append(waiting)
        if self._tasks[lane] is None:
            self._tasks[lane] = asyncio.create_task(self._run(lane), name=f"flush-{lane}")
        return await waiting.done

    async def drain(self) -> None:
        """Wait until everything accepted has been answered."""
        while tasks := [task for task in self._tasks if task is not None]:
            await asyncio.wait(tasks)

    async def _run(self, lane: int) -> None:
        queue = self._queues[lane]
        try:
            while queue:
                batch = [queue.popleft() for _ in range(min(len(queue), MAX_BATCH))]
                await self._flush(batch)
        finally:
            self._tasks[lane] = None

    async def _flush(self, batch: list[_Waiting]) -> None:
        try:
            verdicts = await self._write([waiting.message for waiting in batch])
        except Exception as error:
            if len(batch) > 1 and not database_is_away(error):
                # One message that the database cannot take must not fail its neighbours: each alone, then.
                _log.warning("flush.split", exc_info=error, size=len(batch))
                for waiting in batch:
                    await self._flush([waiting])
                return
            known = Unavailable("The message could not be stored right now. Send it again with the same id.")
            _log.warning("flush.failed", exc_info=error, size=len(batch))
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_exception(known)
            return
        created = [
            (waiting.message, verdict)
            for waiting, verdict in zip(batch, verdicts, strict=True)
            if verdict.verdict == "created"
        ]
        self._stored(created)
        for waiting, verdict in zip(batch, verdicts, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(verdict)

    async def _write(self, messages: list[NewMessage]) -> list[Verdict]:
        now = truncate_ms(self._clock.now())
        pool: Pool = await self._pool()
        rows = await pool.fetch(
            _SQL,
            [m.app_id for m in messages],
            [m.channel_id for m in messages],
            [m.id for m in messages],
            [m.user_id for m in messages],
            [m.text for m in messages],
            [m.attachments for m in messages],
            [m.custom for m in messages],
            [m.silent for m in messages],
            [m.content_hash for m in messages],
            [m.by_server for m in messages],
            [m.count_active for m in messages],
            [m.subject for m in messages],
            month_of(now),
            now,
        )
        return [Verdict(r["verdict"], r["seq"] or 0, r["number"] or 0, r["created_at"]) for r in rows]
