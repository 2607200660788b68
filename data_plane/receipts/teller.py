"""Tells those who watch a channel how far its members are, each of them; how many, in a large one, is the crowd's.

Positions are durable; what others hear of them comes in passing, put together for a channel and a quarter of a second.
A commit names the channels whose receipts moved, so a node that the bus brought nothing reads them itself.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import msgspec

from data_plane.fanout.hub import Hub, Recipient
from data_plane.log import Entry, LogKey, channel_log, user_log
from data_plane.log.entries import make_entry, passing_entry
from data_plane.presence.audience import LARGE, Audience
from data_plane.receipts.crowd import ReceiptCrowd, shows_receipts
from data_plane.receipts.events import DELIVERED, READ
from data_plane.receipts.flush import Move, Moved
from data_plane.receipts.views import ChannelReceipts, Mark, ReceiptView, read_position
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.logging import get_logger

PERIOD: Final = 0.25
"""Seconds for which what members of a channel read is put together: at most four events a second of each kind."""
PATIENCE: Final = 0.3
"""Seconds after a commit in which the bus may bring what it was about."""
RECEIPTS: Final = "r:"
"""No log: names a channel whose receipts moved, in commits."""
_HINT: Final = "receipts"

_POSITIONS: Final = """
    select c.type, h.last_seq, h.last_number, h.member_count, m.user_id, m.read_number,
           greatest(m.read_number, m.delivered_number) as delivered_number,
           coalesce(v.read_receipts, true) as shows_read, coalesce(v.delivery_receipts, true) as shows_delivered,
           coalesce(u.last_seq, 0) as version
    from chat.log_heads h join chat.channels c on c.app_id = $1 and c.id = $2
    left join lateral (
        select m.* from chat.members m
        where h.member_count <= $3 and m.app_id = $1 and m.channel_id = $2 limit $3) m on true
    left join chat.privacy v on v.app_id = $1 and v.user_id = m.user_id
    left join chat.log_heads u on u.app_id = $1 and u.log = 'u:' || m.user_id
    where h.app_id = $1 and h.log = 'c:' || $2
    order by m.user_id
"""
_log = get_logger(__name__)


class _Said(msgspec.Struct, array_like=True, gc=False):
    """What one flush moved in one channel: `{user: [version, number, back]}`, `{user: number}`, its transaction."""

    read: dict[str, tuple[int, int, bool]]
    delivered: dict[str, int]
    xid: int


class _Known(msgspec.Struct, gc=False):
    """A channel that is watched here, as far as its receipts go."""

    read: dict[str, tuple[int, int, bool]] = {}
    """To be told: user, version, number, and whether it went back meanwhile."""
    delivered: dict[str, int] = {}
    versions: dict[str, tuple[int, int, bool]] = {}
    """What was told, or read, last of each reader."""
    heard: deque[int] = deque()


class Teller:
    """Of one node. `run` must be running. `crowd` tells those who watch large channels."""

    def __init__(
        self,
        shard: Shard,
        hub: Hub,
        audience: Audience,
        publish: Callable[[Sequence[Entry]], None],
        crowd: ReceiptCrowd,
    ) -> None:
        self._shard = shard
        self._hub = hub
        self._audience = audience
        self._publish = publish
        self._crowd = crowd
        self._known: dict[LogKey, _Known] = {}
        self._news: set[LogKey] = set()
        self._doubted: dict[tuple[LogKey, int], float] = {}
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        """Somebody went back: told at once, so that a message of its own that follows is told later."""
        self.reread = 0
        """Channels that had to be read because the bus had lost something, since the start."""
        hub.on_passing(_HINT, self._heard)

    # -- from here to everybody --------------------------------------------------------------------------------------

    def stored(self, batch: Sequence[tuple[Move, Moved]]) -> None:
        """A flush is committed: its readers' own devices hear of it, and whoever watches the channels."""
        at = truncate_ms(self._shard.clock.now())
        entries: list[Entry] = []
        said: dict[LogKey, _Said] = {}
        for move, moved in batch:
            if moved.read_moved and moved.seq is not None:
                entries.append(
                    make_entry(
                        app_id=move.app_id, log=user_log(move.user_id), seq=moved.seq, epoch=self._shard.epoch,
                        type="unread.changed", at=at, actor=move.user_id, data=read_position(move, moved),
                    )
                )  # fmt: skip
            read = moved.read_moved and moved.shows_read
            delivered = moved.delivered_moved and moved.shows_delivered
            if read or delivered:
                key = LogKey(move.app_id, channel_log(move.channel_id))
                one = said.setdefault(key, _Said({}, {}, moved.xid or 0))
                if read:
                    one.read[move.user_id] = (moved.seq or 0, moved.read_number, move.kind == "unread")
                if delivered:
                    one.delivered[move.user_id] = moved.delivered_number
        if entries:
            self._publish(entries)
        self.say(said)

    def say(self, said: dict[LogKey, Any]) -> None:
        """Tell every node what moved in channels."""
        hints = [_hint(key, one) for key, one in said.items()]
        if hints:
            self._publish(hints)

    def read_all(self, app_id: Any, user_id: str, rows: Sequence[Any]) -> None:
        """The same for channels that a user has read to their ends in one go."""
        if rows and rows[0]["shows_read"]:
            self.say(
                {
                    LogKey(app_id, channel_log(row["channel_id"])): _Said(
                        {user_id: (row["seq"], row["read_number"], False)}, {}, row["xid"]
                    )
                    for row in rows
                }
            )

    # -- from everybody to those who watch here ----------------------------------------------------------------------

    def _heard(self, entry: Entry) -> None:
        watched = self._audience.channels.get(entry.key)
        if watched is None:
            return
        said = msgspec.json.decode(entry.event, type=_Said)
        known = self._of(entry.key)
        known.heard.append(said.xid)
        if watched.large:
            self._crowd.moved(entry.key)
            return
        for user_id, mark in said.read.items():
            if mark[0] > known.versions.get(user_id, _NOWHERE)[0]:
                back = mark[2] or known.read.get(user_id, _NOWHERE)[2]
                known.versions[user_id] = known.read[user_id] = (mark[0], mark[1], back)
                if mark[2]:
                    self._urgent.set()
        for user_id, number in said.delivered.items():
            known.delivered[user_id] = max(number, known.delivered.get(user_id, 0))
        self._news.add(entry.key)
        self._wake.set()

    async def follow(self, heads: Iterable[tuple[LogKey, int]]) -> None:
        """Heads of commits: what moved receipts of channels that are watched here ought to have been heard of."""
        for key, xid in heads:
            if key.log.startswith(RECEIPTS):
                channel = LogKey(key.app_id, channel_log(key.log[len(RECEIPTS) :]))
                if channel in self._audience.channels and xid not in self._of(channel).heard:
                    self._doubted[channel, xid] = self._shard.clock.monotonic() + PATIENCE
                    self._wake.set()

    def _of(self, key: LogKey) -> _Known:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known({}, {}, {}, deque(maxlen=64))
        return known

    async def snapshot(self, key: LogKey) -> ChannelReceipts | None:
        """Where the members of a channel are now; null where the type keeps that to itself."""
        rows = await self._rows(key)
        if not rows or not shows_receipts(self._shard, key, rows[0]["type"]):
            return None
        if (rows[0]["member_count"] or 0) > LARGE:
            counts = await self._crowd.join(key)
            return {
                "aggregated": True, "receipts": [], "number": counts.number, "read_by_count": counts.read_by,
                "delivered_to_count": counts.delivered_to,
            }  # fmt: skip
        versions = self._of(key).versions if key in self._audience.channels else {}
        receipts: list[ReceiptView] = []
        for row in rows:
            if row["user_id"] is None:
                continue
            told = versions.get(row["user_id"], _NOWHERE)
            # What was told while this was read is newer, and must not be taken back by it.
            read = told[1] if told[0] > row["version"] else row["read_number"]
            receipts.append(
                {
                    "user_id": row["user_id"],
                    "read_number": read if row["shows_read"] else None,
                    "delivered_number": max(read, row["delivered_number"]) if row["shows_delivered"] else None,
                }
            )
        return {
            "aggregated": False, "receipts": receipts, "number": None, "read_by_count": None,
            "delivered_to_count": None,
        }  # fmt: skip

    async def _rows(self, key: LogKey) -> Sequence[Any]:
        pool = await self._shard.system.pool()
        rows: Sequence[Any] = await pool.fetch(_POSITIONS, key.app_id, key.channel_id, LARGE)
        if rows:
            members = [row["user_id"] for row in rows if row["user_id"] is not None]
            size = rows[0]["member_count"] or 0
            self._audience.loaded(
                key,
                seq=rows[0]["last_seq"],
                size=size,
                members=members if size <= LARGE else None,
                type=rows[0]["type"],
            )
        return rows

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            await self._wake.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):
                    await self._urgent.wait()
            try:
                await self.round()
            except Exception as error:
                _log.warning("receipts.round_failed", error=repr(error))

    async def round(self) -> None:
        """Tell what has gathered; read again what was lost."""
        self._wake.clear()
        self._urgent.clear()
        now = self._shard.clock.monotonic()
        if len(self._known) > 2 * len(self._audience.channels) + 100:
            self._known = {key: known for key, known in self._known.items() if key in self._audience.channels}
        lost: set[LogKey] = set()
        for (key, xid), due in list(self._doubted.items()):
            if key not in self._audience.channels or xid in self._of(key).heard:
                del self._doubted[key, xid]
            elif due <= now:
                del self._doubted[key, xid]
                lost.add(key)
        for key in lost:
            await self._read_again(key)
        news, self._news = self._news, set()
        for key in news:
            watched = self._audience.channels.get(key)
            if watched is None:
                continue
            known = self._of(key)
            if watched.as_of < 0:
                await self._rows(key)  # whoever began to watch it has not read it yet, or could not
            if watched.large:
                known.read.clear()
                known.delivered.clear()
                known.versions.clear()
                self._crowd.moved(key)
            elif shows_receipts(self._shard, key, watched.type):
                self._tell(key, known)
        if self._news or self._doubted:
            self._wake.set()

    async def look_again(self, app_id: UUID, user_id: str) -> None:
        """Somebody is no longer hidden from a user, who has heard nothing of them meanwhile: the channels that it
        watches here are told once more."""
        for key in list(self._audience.channels):
            if key.app_id == app_id and any(ear.user_id == user_id for ear in self._hub.watching(key)):
                await self._read_again(key)
                self._wake.set()

    async def _read_again(self, key: LogKey) -> None:
        self.reread += 1
        self._news.add(key)
        known, watched = self._of(key), self._audience.channels.get(key)
        if watched is not None and watched.large:
            return
        for row in await self._rows(key):
            user_id = row["user_id"]
            if user_id is None:
                continue
            if row["shows_read"] and row["version"] >= known.versions.get(user_id, _NOWHERE)[0]:
                known.versions[user_id] = known.read[user_id] = (row["version"], row["read_number"], True)
            if row["shows_delivered"]:
                known.delivered[user_id] = max(row["delivered_number"], known.delivered.get(user_id, 0))

    def _tell(self, key: LogKey, known: _Known) -> None:
        read: list[Mark] = [
            {"user_id": user, "number": number, "exact": back} for user, (_, number, back) in sorted(known.read.items())
        ]
        delivered: list[Mark] = [
            {"user_id": user, "number": number, "exact": False} for user, number in sorted(known.delivered.items())
        ]
        known.read.clear()
        known.delivered.clear()
        for type, marks in ((READ, read), (DELIVERED, delivered)):
            if not marks:
                continue
            by_sight: dict[frozenset[str], list[Recipient]] = {}
            for recipient in self._hub.watching(key):
                hidden: Any = recipient.hidden
                unseen = (
                    frozenset(mark["user_id"] for mark in marks if mark["user_id"] in hidden) if hidden else _NOBODY
                )
                by_sight.setdefault(unseen, []).append(recipient)
            for unseen, ears in by_sight.items():
                seen = [mark for mark in marks if mark["user_id"] not in unseen]
                if seen:
                    data = {"aggregated": False, "positions": seen, "number": None, "count": None}
                    self._hub.tell(ears, self._event(key, type, data), users_only=True)

    def _event(self, key: LogKey, type: str, data: Any) -> Entry:
        return passing_entry(
            app_id=key.app_id, log=key.log, epoch=self._shard.epoch, type=type, at=self._shard.clock.now(),
            actor=None, data=data,
        )  # fmt: skip


def read_hint(app_id: UUID, channel_id: str, user_id: str, *, seq: int, number: int) -> Entry:
    """What tells every node that somebody who shows it has read so far, as `seq` of the own log says."""
    return _hint(LogKey(app_id, channel_log(channel_id)), _Said({user_id: (seq, number, False)}, {}, 0))


def _hint(key: LogKey, said: _Said) -> Entry:
    return Entry(key.app_id, key.log, 0, _HINT, msgspec.json.encode(said))


_NOBODY: Final[frozenset[str]] = frozenset()
_NOWHERE: Final = (-1, 0, False)
