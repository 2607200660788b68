"""Group commit of positions: while one flush is in flight the next batch gathers, as with messages.

A thousand members who read a channel at once cost a handful of statements, each of which moves two hundred positions.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from data_plane.messages.flush import Overloaded
from kernel.clock import Clock, truncate_ms
from kernel.errors import Unavailable
from kernel.logging import get_logger

MAX_BATCH: Final = 200
"""Positions in one statement; as many locks."""
LANES: Final = 2
"""Statements under way at the same time."""
MAX_WAITING: Final = 20_000
_SQL: Final = "select * from chat.move_positions($1, $2, $3, $4, $5, $6, $7)"
_log = get_logger(__name__)

Kind = Literal["read", "delivered", "unread"]


class Move(msgspec.Struct, frozen=True, gc=False):
    """What a member has read, received, or wants to be unread; as `chat.move_positions` takes it."""

    app_id: UUID
    channel_id: str
    user_id: str
    kind: Kind
    number: int | None = None
    message_id: UUID | None = None


class Moved(msgspec.Struct, frozen=True, gc=False):
    """What became of it. `seq`: the entry of the reader's own log, when its read position moved."""

    verdict: str
    read_number: int
    delivered_number: int
    last_number: int
    read_moved: bool
    delivered_moved: bool
    seq: int | None
    shows_read: bool
    shows_delivered: bool
    xid: int | None
    hidden_numbers: list[int] | None = None
    """Of messages above the read position that the reader hides for itself."""


class _Waiting(msgspec.Struct, gc=False):
    move: Move
    done: "asyncio.Future[Moved]"


class PositionFlusher:
    """The lanes of one node. `stored` hears each batch after its commit, before anyone is answered."""

    def __init__(
        self, pool: Callable[[], Any], clock: Clock, stored: Callable[[list[tuple[Move, Moved]]], None]
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._stored = stored
        self._queues: list[deque[_Waiting]] = [deque() for _ in range(LANES)]
        self._tasks: list[asyncio.Task[None] | None] = [None] * LANES

    async def move(self, move: Move) -> Moved:
        """Move a position and return what became of it, once that is durable.

        Raises `Overloaded` when too many wait, `Unavailable` when the database is away; to say it again is safe.
        """
        lane = hash((move.app_id, move.user_id)) % LANES  # what one user says stays in its order
        queue = self._queues[lane]
        if len(queue) >= MAX_WAITING:
            raise Overloaded()
        waiting = _Waiting(move, asyncio.get_running_loop().create_future())
        queue.append(waiting)
        if self._tasks[lane] is None:
            self._tasks[lane] = asyncio.create_task(self._run(lane), name="positions")
        return await waiting.done

    async def _run(self, lane: int) -> None:
        queue = self._queues[lane]
        try:
            while queue:
                batch: dict[tuple[UUID, str, str], _Waiting] = {}
                later: list[_Waiting] = []
                while queue and len(batch) < MAX_BATCH and len(later) < MAX_BATCH:
                    waiting = queue.popleft()
                    move = waiting.move
                    key = (move.app_id, move.channel_id, move.user_id)
                    if key in batch:
                        later.append(waiting)
                    else:
                        batch[key] = waiting
                queue.extendleft(reversed(later))
                await self._flush(list(batch.values()))
        finally:
            self._tasks[lane] = None

    async def _flush(self, batch: list[_Waiting]) -> None:
        try:
            moved = await self._write([waiting.move for waiting in batch])
        except Exception as error:
            _log.warning("positions.failed", exc_info=error, size=len(batch))
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_exception(Unavailable("The position could not be stored now; say it again."))
            return
        self._stored(list(zip((waiting.move for waiting in batch), moved, strict=True)))
        for waiting, one in zip(batch, moved, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(one)

    async def _write(self, moves: list[Move]) -> list[Moved]:
        pool = await self._pool()
        rows = await pool.fetch(
            _SQL,
            [m.app_id for m in moves],
            [m.channel_id for m in moves],
            [m.user_id for m in moves],
            [m.kind for m in moves],
            [m.number for m in moves],
            [m.message_id for m in moves],
            truncate_ms(self._clock.now()),
        )
        return [
            Moved(
                row["verdict"], row["read_number"] or 0, row["delivered_number"] or 0, row["last_number"] or 0,
                bool(row["read_moved"]), bool(row["delivered_moved"]), row["seq"], row["shows_read"],
                row["shows_delivered"], row["xid"], row["hidden_numbers"],
            )
            for row in rows
        ]  # fmt: skip
