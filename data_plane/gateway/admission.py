"""What a connection must know of its user, and what that one has missed, for many at once: while one batch is read the
next gathers.

When thousands come back together they wait here, in order, and the database's other connections stay free for sends.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from data_plane.gateway.turnstile import Turnstile
from data_plane.identity.activity import subject_of
from data_plane.identity.caller import UserCaller
from data_plane.log.reader import Changes, LogReader, Since
from kernel.clock import Clock, month_of, truncate_ms
from kernel.http.problems import database_is_away
from kernel.logging import get_logger

MAX_BATCH: Final = 8
"""Users in one statement."""
LANES: Final = 2
"""Statements under way at the same time, at most."""
STUCK: Final = 0.1
"""Seconds that a batch may take before the next one begins beside it. One at a time leaves the processor to others'
messages while a herd comes back."""
PAGE: Final = 1_000
"""Entries of those who have missed something, in one statement, all together."""
MAX_REPLAY: Final = 10_000
"""Entries that a resume replays; a client that missed more gets fresh state instead."""

# `first`: of channels where the user does not see messages from the beginning on, from which seq.
_SQL: Final = """
select c.*, (
    select json_object_agg(b.channel_id, greatest(b.history_from, b.cleared_to))::text from chat.members b
    where b.app_id = ($1::uuid[])[c.ord::int] and b.user_id = ($2::text[])[c.ord::int]
      and (b.history_from > 0 or b.cleared_to > 0)
) as first
from chat.connect_users($1, $2, $3, $4, $5, $6, $7, $8) c
"""
_log = get_logger(__name__)


class ClientGone(Exception):
    """The client went away while it waited for its turn; nothing was read or counted."""


class Admitted(NamedTuple):
    """Who may come in, or why not: `row` is the user's of `chat.connect_users`, whose activity is committed.

    `missed` is the first page of what has happened `since`; null when that cannot be told, or is too much to replay.
    """

    row: Any
    missed: Changes | None


class _Waiting(msgspec.Struct, gc=False):
    caller: UserCaller
    refuse_new: bool
    since: int | None
    wanted: Callable[[], bool]
    done: "asyncio.Future[Any]"


class Admission:
    """The queue of one node. What follows for each user takes the event loop some tenths of a millisecond, so that each
    hears of its row in its turn, and the next statement waits for the last of them."""

    def __init__(self, pool: Callable[[], Any], reader: LogReader, clock: Clock, turns: Turnstile) -> None:
        self._pool = pool
        self._reader = reader
        self._clock = clock
        self._turns = turns
        self._queue: deque[_Waiting] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._stuck = 0
        """How many of them have been at their batch for long."""

    @property
    def waiting(self) -> int:
        """Users whose turn has not come."""
        return len(self._queue)

    async def load(
        self, caller: UserCaller, refuse_new: bool, since: int | None, wanted: Callable[[], bool]
    ) -> Admitted:
        """Count the user as active, and read its state. `since` is the horizon up to which it knows its logs.

        Raises `ClientGone` when `wanted` says no once the turn has come, and what the database raises.
        """
        waiting = _Waiting(caller, refuse_new, since, wanted, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._open_lane()
        admitted: Admitted = await waiting.done
        return admitted

    def _open_lane(self) -> None:
        """Unless one will come to those who wait, soon."""
        if self._queue and len(self._lanes) == self._stuck < LANES:
            self._lanes.add(asyncio.create_task(self._run(), name="admission"))

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._take()
        finally:
            # Here, and not in a callback: whoever comes in between must not count on this lane.
            self._lanes.discard(asyncio.current_task())

    async def _take(self) -> None:
        """Load the next batch."""
        batch: list[_Waiting] = []
        while self._queue and len(batch) < MAX_BATCH:
            waiting = self._queue.popleft()
            if waiting.done.done():
                continue
            if waiting.wanted():
                batch.append(waiting)
            else:
                waiting.done.set_exception(ClientGone())
        if not batch:
            return
        stuck = False

        def is_stuck() -> None:
            nonlocal stuck
            stuck = True
            self._stuck += 1
            self._open_lane()

        patience = asyncio.get_running_loop().call_later(STUCK, is_stuck)
        try:
            await self._load(batch)
            await asyncio.wait([waiting.done for waiting in batch])
        finally:
            patience.cancel()
            self._stuck -= stuck

    async def _load(self, batch: list[_Waiting]) -> None:
        try:
            rows = await self._read(batch)
            missed = await self._missed(batch, rows)
        except Exception as error:
            if len(batch) > 1 and not database_is_away(error):
                # One user that the database has trouble with must not keep its neighbours out.
                _log.warning("admission.split", error=repr(error), size=len(batch))
                for waiting in batch:
                    await self._load([waiting])
                return
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            return
        for row in rows:
            at = row["ord"] - 1
            self._turns.resolve(batch[at].done, Admitted(row, missed.get(at)))

    async def _read(self, batch: list[_Waiting]) -> list[Any]:
        now = truncate_ms(self._clock.now())
        pool = await self._pool()
        rows: list[Any] = await pool.fetch(
            _SQL,
            [w.caller.app_id for w in batch],
            [w.caller.user_id for w in batch],
            [w.caller.token_issued_at for w in batch],
            [subject_of(w.caller.app, w.caller.user_id) for w in batch],
            [w.refuse_new for w in batch],
            [w.since for w in batch],
            month_of(now),
            now,
        )
        return rows

    async def _missed(self, batch: list[_Waiting], rows: list[Any]) -> dict[int, Changes | None]:
        """By place in the batch, of those who know their logs up to some time; one statement for all who have missed
        something since."""
        found: dict[int, Changes | None] = {}
        users: dict[int, Since] = {}
        for row in rows:
            at = row["ord"] - 1
            since = batch[at].since
            # A cursor from the future is from before a restore that nobody announced.
            if row["verdict"] != "ok" or since is None or since > row["horizon"]:
                continue
            if row["moved"]:
                users[at] = Since(batch[at].caller.app_id, batch[at].caller.user_id, since)
            else:
                found[at] = Changes([], row["horizon"], False)
        if users:
            pages = await self._reader.changes_of(
                list(users.values()), limit=PAGE // len(users), tail=True, at_most=MAX_REPLAY
            )
            found.update(zip(users, pages, strict=True))
        return found
