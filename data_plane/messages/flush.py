"""Group commit: while one flush is in flight the next batch gathers.

A flush costs the node and the database about as much as eight messages, so many small ones eat the processor that
everybody waits for. A lane therefore rests as long as its flush took: where the database answers at once that is next
to nothing, and where all wait for a processor the batches grow until they do not. A common lane rests only between a
few messages and many; one that was set apart always does.

A lane is one writer with one transaction in flight. All sends of a channel take the same lane, so that a process
never waits for itself on a channel's lock. The common lanes wait for nobody else's either: a channel that another node
writes at the moment, or that fills a batch nearly alone, gets a lane of its own until its queue is empty. Within a lane
the apps take turns: each has a share of the next batch. And where several apps write, one that piles up messages writes
in a lane of its own, so that the others' batches are as small as they are, and wait for none of its.

What was set apart still uses the loop, the database and the processor that the others need, and a batch of it is a
moment in which they wait. While others write, too, its batches are small and its rests long (ADR 0057).
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from data_plane.grants.table import DEFAULTS
from data_plane.messages.queue import FairQueue
from kernel.clock import Clock, month_of, truncate_ms
from kernel.errors import Unavailable
from kernel.http.problems import database_is_away
from kernel.logging import get_logger

MAX_BATCH: Final = 200
"""Messages in one flush: enough to spread the cost of a commit, few enough locks to hold."""

MAX_WAITING_APPS: Final = 4
"""How many apps' full queues a lane holds; then it takes no more from anybody."""

MAX_SHARE: Final = 64
"""Messages of one channel in a batch that carries others' too."""

MAX_OWN: Final = 2
"""Flushes under way at the same time in lanes of single channels; the pool has others to serve."""

LOUD: Final = 32
"""Messages of one app that may wait in a lane that other apps write to as well."""

LOUDEST: Final = 4
"""The same of an app that has more of them there than all others together."""

MAX_LOUD: Final = 2
"""Flushes under way at the same time in lanes of single apps."""

MIXED_FOR: Final = 1.0
"""Seconds for which a lane counts as shared after two apps took turns in it."""

FEW: Final = 2
"""A lane that flushed no more than these does not rest: nothing would gather."""

MANY: Final = 64
"""Nor does one with these waiting: its batch is large enough."""

LONGEST_REST: Final = 0.012
"""Seconds."""

SMALL: Final = 16
"""Messages in one flush of a channel's lane beside others: about a millisecond of the node's loop, at 68 µs a send."""

SMALL_OF_APP: Final = 32
"""The same of an app's lane, which also takes a quarter of what waits there: a busy app is as fast as it was, in larger
steps, and one that only sends what its plan grants comes in small ones."""

SMALL_REST: Final = 0.02
"""Seconds after one of these, for which a lane has to be written on: each rest is at most twice the one before, and who
only met somebody else at a channel's lock waits no longer than the flush took."""

_WAIT: Final = (
    "select * from chat.append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
)
_TRY: Final = (
    "select * from chat.try_append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
)
_log = get_logger(__name__)


class Overloaded(Unavailable):
    """More messages wait than this node will hold. Nothing was stored; send again with the same id."""

    code = "overloaded"
    title = "The server is busy"


class NewMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A validated send. `attachments` and `custom` are JSON text or null, and so is `extra`: what it is besides, as
    `chat.judge_extra` reads it."""

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
    extra: str | None = None


class Verdict(msgspec.Struct, gc=False):
    """What became of one message. `verdict` as `chat.append_messages` documents; the rest is set when it is stored.

    `data`: the JSON that its event carries, `{"message": …}`, from when that was made; the answer says the same."""

    verdict: str
    seq: int
    number: int
    created_at: datetime
    data: bytes = b""
    extra: dict[str, Any] | None = None
    """What is shown beside a message that was created with something besides."""


class Pool(Protocol):
    """The part of asyncpg's pool that a flush uses."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Run a prepared statement and return its rows."""
        ...


class _Waiting(msgspec.Struct, gc=False):
    message: NewMessage
    done: "asyncio.Future[Verdict]"


_Channel = tuple[UUID, str]
_Loud = tuple[UUID, int]
"""An app, and the common lane that its messages come from."""


class _Lane:
    __slots__ = ("channel", "last_app", "loud", "mixed_until", "queue", "rest", "rests_until", "task")

    def __init__(self, channel: _Channel | None = None, loud: _Loud | None = None) -> None:
        self.channel = channel
        """Whose own lane it is; null for a common one."""
        self.loud = loud
        """The same for a lane of an app."""
        self.queue: FairQueue[_Waiting] = FairQueue()
        self.task: asyncio.Task[None] | None = None
        self.last_app: UUID | None = None
        self.mixed_until = 0.0
        self.rests_until = 0.0
        self.rest = 0.0
        """Seconds that one set apart rests beside others after its next flush, at least."""


class Flusher:
    """The lanes of one node. `stored` hears each batch's created messages after the commit, before anyone is answered,
    so that whoever reads its own write finds it delivered too. `rules` is what an app's roles may do, see
    `data_plane.grants.table`."""

    def __init__(
        self,
        pool: Callable[[], Any],
        clock: Clock,
        stored: Callable[[list[tuple[NewMessage, Verdict]]], None],
        *,
        rules: Callable[[UUID], str] = lambda _: DEFAULTS.rules,
        seen: Callable[[UUID], None] = lambda _: None,
        lanes: int = 2,
        max_waiting: int = 5_000,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._stored = stored
        self._rules = rules
        self._seen = seen
        self._max_waiting = max_waiting
        self._common = [_Lane() for _ in range(lanes)]
        self._own: dict[_Channel | _Loud, _Lane] = {}
        self._others_at = -MIXED_FOR
        """When a common lane last stored something: what has a lane of its own has company then."""
        self._own_turns = asyncio.Semaphore(MAX_OWN)
        self._loud_turns = asyncio.Semaphore(MAX_LOUD)

    @property
    def waiting(self) -> int:
        """Messages that are queued and not yet in a flush."""
        return sum(len(lane.queue) for lane in self._lanes())

    async def append(self, message: NewMessage) -> Verdict:
        """Store one message and return what became of it, once that is durable.

        Raises `Overloaded` at once when too many wait, `Unavailable` when the database is away; in both cases, also
        in the second, where the outcome is not known, the same id makes the retry safe.
        """
        app_id, loop = message.app_id, asyncio.get_running_loop()
        self._seen(app_id)
        channel = (app_id, message.channel_id)
        place = hash(channel) % len(self._common)
        lane = self._own.get(channel) or self._own.get((app_id, place)) if self._own else None
        if lane is None:
            lane = self._common[place]
            if lane.last_app is not app_id:
                if lane.last_app is not None and lane.last_app != app_id:
                    lane.mixed_until = loop.time() + MIXED_FOR
                lane.last_app = app_id
        queue, most = lane.queue, self._max_waiting
        if queue.of_app(app_id) >= most or len(queue) >= most * MAX_WAITING_APPS:
            raise Overloaded()
        waiting = _Waiting(message, loop.create_future())
        self._put(lane, [waiting])
        return await waiting.done

    async def drain(self) -> None:
        """Wait until everything accepted has been answered."""
        while tasks := [lane.task for lane in self._lanes() if lane.task is not None]:
            await asyncio.wait(tasks)

    def _lanes(self) -> list[_Lane]:
        return [*self._common, *self._own.values()]

    def _put(self, lane: _Lane, waiting: list[_Waiting]) -> None:
        for each in waiting:
            lane.queue.append(each.message.app_id, each)
        if lane.task is None:
            lane.task = asyncio.create_task(self._run(lane), name="flush")

    async def _run(self, lane: _Lane) -> None:
        try:
            while lane.queue:
                if lane.channel is not None:
                    async with self._own_turns:
                        await self._flush_apart(lane, _WAIT)
                elif lane.loud is not None:
                    async with self._loud_turns:
                        await self._flush_apart(lane, _TRY)
                else:
                    await self._flush_common(lane)
        finally:
            lane.task = None
            if (own := lane.channel or lane.loud) is not None:
                del self._own[own]

    async def _flush_apart(self, lane: _Lane, sql: str) -> None:
        """Flush and rest, in the turn, so that all that is set apart has half of its turns' time, and beside others
        less. Also with nothing waiting: whoever was answered writes again, into this lane while it is there."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        most, rest = MAX_BATCH, 0.0
        if began - self._others_at < MIXED_FOR:
            most, rest = SMALL if lane.channel is not None else max(SMALL_OF_APP, len(lane.queue) // 4), lane.rest
        self._set_apart(lane, await self._flush(lane.queue.take(min(most, MAX_BATCH)), sql))
        rest = max(rest, min(loop.time() - began, LONGEST_REST))
        lane.rest = min(2 * rest, SMALL_REST)
        await asyncio.sleep(rest)

    async def _flush_common(self, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        left = lane.rests_until - loop.time()
        if left > 0 and len(lane.queue) < MANY:
            await asyncio.sleep(left)
        if batch := self._fair_batch(lane):
            began = loop.time()
            busy = await self._flush(batch, _TRY)
            ended = loop.time()
            if len(busy) < len(batch):
                self._others_at = ended
            self._set_apart(lane, busy)
            if len(batch) > FEW:
                lane.rests_until = ended + min(ended - began, LONGEST_REST)

    def _fair_batch(self, lane: _Lane) -> list[_Waiting]:
        """The next batch of a common lane; a channel or an app that would fill it goes to a lane of its own."""
        if lane.mixed_until > asyncio.get_running_loop().time():
            for app_id in lane.queue.loud(LOUD, LOUDEST):
                loud = (app_id, self._common.index(lane))
                own = self._own[loud] = _Lane(loud=loud)
                self._put(own, lane.queue.remove_app(app_id))
        batch = lane.queue.take(MAX_BATCH)
        if len(batch) <= MAX_SHARE:
            return batch
        shares = Counter(_channel_of(waiting) for waiting in batch)
        greedy = {channel for channel, share in shares.items() if share > MAX_SHARE and len(shares) > 1}
        if not greedy:
            return batch
        self._set_apart(lane, [waiting for waiting in batch if _channel_of(waiting) in greedy])
        return [waiting for waiting in batch if _channel_of(waiting) not in greedy]

    def _set_apart(self, lane: _Lane, first: list[_Waiting]) -> None:
        """Give the channels of these messages lanes of their own, which what is queued behind them moves to as well, in
        its order."""
        if not first:
            return
        channels = {_channel_of(waiting) for waiting in first}
        moving = [*first, *lane.queue.remove(lambda waiting: _channel_of(waiting) in channels)]
        for channel in channels:
            own = self._own[channel] = _Lane(channel)
            self._put(own, [waiting for waiting in moving if _channel_of(waiting) == channel])

    async def _flush(self, batch: list[_Waiting], sql: str) -> list[_Waiting]:
        """Write a batch and answer its senders. Returns those whose channel was busy, who have no answer yet."""
        try:
            verdicts = await self._write([waiting.message for waiting in batch], sql)
        except Exception as error:
            if len(batch) > 1 and not database_is_away(error):
                # One message that the database cannot take must not fail its neighbours: each alone, then.
                _log.warning("flush.split", exc_info=error, size=len(batch))
                return [busy for waiting in batch for busy in await self._flush([waiting], sql)]
            known = Unavailable("The message could not be stored right now. Send it again with the same id.")
            _log.warning("flush.failed", exc_info=error, size=len(batch))
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_exception(known)
            return []
        created = [
            (waiting.message, verdict)
            for waiting, verdict in zip(batch, verdicts, strict=True)
            if verdict.verdict == "created"
        ]
        self._stored(created)
        busy = []
        for waiting, verdict in zip(batch, verdicts, strict=True):
            if verdict.verdict == "busy":
                busy.append(waiting)
            elif not waiting.done.done():
                waiting.done.set_result(verdict)
        return busy

    async def _write(self, messages: list[NewMessage], sql: str) -> list[Verdict]:
        now = truncate_ms(self._clock.now())
        pool: Pool = await self._pool()
        # Few apps share a batch, and each has its rules in it once. PostgreSQL counts from 1.
        apps = {m.app_id: place for place, m in enumerate({m.app_id: m for m in messages}.values(), start=1)}
        rows = await pool.fetch(
            sql,
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
            [self._rules(app_id) for app_id in apps],
            [apps[m.app_id] for m in messages],
            [m.extra for m in messages] if any(m.extra is not None for m in messages) else None,
        )
        shown: dict[int, str] = {}
        if len(rows) > len(messages):
            shown = {r["ord"]: r["extra"] for r in rows if r["verdict"] == "shown"}
            rows = [r for r in rows if r["verdict"] != "shown"]
        verdicts = [Verdict(r["verdict"], r["seq"] or 0, r["number"] or 0, r["created_at"]) for r in rows]
        if any(verdict.verdict == "busy" for verdict in verdicts):
            by_place = {r["ord"]: verdict for r, verdict in zip(rows, verdicts, strict=True)}
            verdicts = [by_place[place] for place in range(1, len(messages) + 1)]
        for place, extra in shown.items():
            verdicts[place - 1] = msgspec.structs.replace(verdicts[place - 1], extra=msgspec.json.decode(extra))
        return verdicts


def _channel_of(waiting: _Waiting) -> _Channel:
    return waiting.message.app_id, waiting.message.channel_id
