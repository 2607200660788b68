"""Receipts in large channels: how many have read its newest message, and how many have got it.

Nobody's position is kept for it. What a node hears of those who read says only that there is something to count, which
it does at most once a second for a channel, and the more seldom the longer it takes.
"""

import asyncio
from typing import Any, Final, NamedTuple

import msgspec

from data_plane.fanout.hub import Hub, Recipient
from data_plane.log import LogKey
from data_plane.log.entries import passing_entry
from data_plane.presence.audience import Audience
from data_plane.receipts.events import DELIVERED, READ
from data_plane.shard import Shard
from kernel.logging import get_logger

TICK: Final = 0.25
"""Seconds between looks whether it is time to count."""
COUNT_PERIOD: Final = 1.0
"""Seconds between counts in one channel, at least."""
COUNT_PAUSE: Final = 20.0
"""How many times as long as a count took the channel's next one is put off: it takes a twentieth of the time of one
connection, whatever the channel's size."""

_COUNT: Final = """
    select count(*) filter (where m.read_number >= $3 and coalesce(v.read_receipts, true)) as read_by,
           count(*) filter (where greatest(m.read_number, m.delivered_number) >= $3
                            and coalesce(v.delivery_receipts, true)) as delivered_to
    from chat.members m left join chat.privacy v on v.app_id = $1 and v.user_id = m.user_id
    where m.app_id = $1 and m.channel_id = $2 and m.user_id is distinct from $4
"""
# Who wrote the newest numbered message: among the last ones as a rule, and behind them where so many were silent.
_NEWEST: Final = """
    select h.last_number, case when h.last_number > 0 then coalesce(
        (select n.user_id from (
            select m.user_id, m.number, m.silent from chat.messages m where m.app_id = $1 and m.channel_id = $2
            order by m.seq desc limit 100
        ) n where n.number = h.last_number and not n.silent),
        (select m.user_id from chat.messages m
         where m.app_id = $1 and m.channel_id = $2 and m.number = h.last_number and not m.silent)) end as author
    from chat.log_heads h where h.app_id = $1 and h.log = 'c:' || $2
"""
_log = get_logger(__name__)


def shows_receipts(shard: Shard, key: LogKey, type: str) -> bool:
    """Whether those in a channel of this type see how far others have read."""
    kind = shard.grants.of(key.app_id).types.get(type)
    return kind is None or kind.receipts


class Counts(NamedTuple):
    """Of members up to a message, by number, without its author and those who do not show it."""

    number: int
    read_by: int
    delivered_to: int


class _Counted(NamedTuple):
    counts: Counts
    took: float
    """Seconds."""


_Asked = tuple[LogKey, int | None, str | None]


class Counting:
    """Counts of one node. Each reads every membership of its channel, so there is one at a time: counting takes one
    connection of the pool and one core of the database, however many ask.

    Whoever asks while one is under way gets one that begins after it has asked, and so sees what it has written itself;
    all who ask for the same meanwhile share it.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._turn = asyncio.Semaphore(1)
        self._next: dict[_Asked, asyncio.Task[_Counted]] = {}
        self.made = 0
        """Counts since the start."""

    async def newest(self, key: LogKey) -> _Counted:
        """Of a channel's newest numbered message. Raises what the database raises."""
        return await self._shared((key, None, None))

    async def of(self, key: LogKey, number: int, author: str | None) -> Counts:
        """Up to a number, its author left out. Raises what the database raises."""
        return (await self._shared((key, number, author))).counts

    async def _shared(self, asked: _Asked) -> _Counted:
        task = self._next.get(asked)
        if task is None:
            task = self._next[asked] = asyncio.create_task(self._count(asked), name="count-receipts")
        # Whoever goes away takes it from nobody else.
        return await asyncio.shield(task)

    async def _count(self, asked: _Asked) -> _Counted:
        async with self._turn:
            del self._next[asked]
            self.made += 1
            began = self._shard.clock.monotonic()
            key, number, author = asked
            pool: Any = await self._shard.system.pool()
            if number is None:
                newest = await pool.fetchrow(_NEWEST, key.app_id, key.channel_id)
                number, author = (newest["last_number"], newest["author"]) if newest is not None else (0, None)
            row = await pool.fetchrow(_COUNT, key.app_id, key.channel_id, number, author)
            counts = Counts(number, row["read_by"], row["delivered_to"])
            return _Counted(counts, self._shard.clock.monotonic() - began)


class _Channel(msgspec.Struct, gc=False):
    """A large channel that is watched here."""

    counts: Counts
    """What those who watch have, or will be told."""
    counted_at: float
    pause: float
    """Seconds from then on until it is counted again."""


class ReceiptCrowd:
    """Of one node. `run` must be running."""

    def __init__(self, shard: Shard, hub: Hub, audience: Audience, counting: Counting) -> None:
        self._shard = shard
        self._hub = hub
        self._audience = audience
        self._counting = counting
        self._channels: dict[LogKey, _Channel] = {}
        self._news: set[LogKey] = set()
        """Channels in which somebody has read something, or in which not all have the same counts."""
        self._checks: set[LogKey] = set()
        """Channels in which somebody was given counts of a moment ago."""
        self._wake = asyncio.Event()
        audience.listen(lambda *_: None, self._unwatched)

    def moved(self, key: LogKey) -> None:
        """Somebody has read something in a large channel that is watched here."""
        self._news.add(key)
        self._wake.set()

    async def join(self, key: LogKey) -> Counts:
        """For who begins to watch: what the others have, when that was counted a moment ago, with a look soon whether
        it is still so. A thousand who come back to a channel do not have it counted a thousand times."""
        known = self._channels.get(key)
        if known is not None and self._early(known):
            self._checks.add(key)
            self._wake.set()
            return known.counts
        counts, others_differ = await self._count(key)
        if others_differ:
            self.moved(key)
        return counts

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(TICK)
            try:
                await self.round()
            except Exception as error:
                _log.warning("receipts.count_failed", error=repr(error))

    async def round(self) -> None:
        """Count where it is time, and tell those who watch."""
        self._wake.clear()
        for keys, anyhow in ((self._news, True), (self._checks, False)):
            for key in list(keys):
                known, watched = self._channels.get(key), self._audience.channels.get(key)
                if known is not None and self._early(known):
                    continue
                keys.discard(key)
                if watched is None or not shows_receipts(self._shard, key, watched.type):
                    continue
                try:
                    counts, others_differ = await self._count(key)
                except BaseException:
                    keys.add(key)
                    raise
                if anyhow or others_differ:
                    self._tell(key, counts)
        if self._news or self._checks:
            self._wake.set()

    def _early(self, known: _Channel) -> bool:
        return self._shard.clock.monotonic() - known.counted_at < known.pause

    def _unwatched(self, recipient: Recipient, key: LogKey) -> None:
        if key not in self._audience.channels:
            # Nobody hears any more that it is other, so the next who comes has it counted.
            self._channels.pop(key, None)

    async def _count(self, key: LogKey) -> tuple[Counts, bool]:
        """The counts, and whether somebody who watches was given others before."""
        counts, took = await self._counting.newest(key)
        before = self._channels.get(key)
        if key in self._audience.channels:
            pause = max(COUNT_PERIOD, COUNT_PAUSE * took)
            self._channels[key] = _Channel(counts, self._shard.clock.monotonic(), pause)
        return counts, before is not None and before.counts != counts

    def _tell(self, key: LogKey, counts: Counts) -> None:
        for type, count in ((READ, counts.read_by), (DELIVERED, counts.delivered_to)):
            data = {"aggregated": True, "positions": [], "number": counts.number, "count": count}
            entry = passing_entry(
                app_id=key.app_id, log=key.log, epoch=self._shard.epoch, type=type, at=self._shard.clock.now(),
                actor=None, data=data,
            )  # fmt: skip
            self._hub.tell(self._hub.watching(key), entry, users_only=True)
