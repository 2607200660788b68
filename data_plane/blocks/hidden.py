"""Who is hidden from whom, in memory, for users who watch a channel on this node.

A block works both ways: neither hears of the other in passing (typing, presence, profile). The truth is `chat.blocks`,
into which a node looks every second for what changed.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from kernel.clock import Clock
from kernel.db import Database

OVERLAP: Final = timedelta(minutes=2)
"""Each look goes back this far before the last: a change is stamped before it commits, by another node's clock."""

_HIDDEN: Final = """
select k.user_id as a, k.blocked_id as b from chat.blocks k
where k.app_id = $1 and k.user_id = $2 and k.removed_at is null
union all
select k.user_id, k.blocked_id from chat.blocks k where k.app_id = $1 and k.blocked_id = $2 and k.removed_at is null
"""
Changed = Callable[[UUID, str, set[str], bool], Awaitable[None]]
"""App, user, who is hidden from it now or no more, and whether any of them is hidden no more."""
_CHANGED: Final = "select app_id, user_id, blocked_id, changed_at from chat.blocks where changed_at >= $1"


class HiddenUsers(set[str]):
    """Ids of the users hidden from one user. Shared by its connections, who keep it alive."""

    __slots__ = ("turn",)

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0
        """Counts the reads that began, so that an earlier one never overwrites a later one."""


class Hidden:
    """The sets of one node. `database` connects as `natter_engine`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sets: WeakValueDictionary[tuple[UUID, str], HiddenUsers] = WeakValueDictionary()
        self._seen: dict[tuple[UUID, str, str], datetime] = {}
        self._looked_at: datetime | None = None
        self.changed: Changed = _nobody
        """Hears of a user from whom some are hidden now that were not, or no more."""

    async def of(self, app_id: UUID, user_id: str) -> HiddenUsers:
        """Whom this user hears nothing of; goes on being true for as long as somebody holds it."""
        known = self._sets.get((app_id, user_id))
        if known is None:
            known = self._sets[app_id, user_id] = HiddenUsers()
            await self._read(app_id, user_id, known)
        return known

    async def refresh(self) -> None:
        """Look for blocks that were made or taken back. Call it every 2 s or more often."""
        now = self._clock.now()
        since = (self._looked_at or now) - OVERLAP
        pool = await self._database.pool()
        rows = await pool.fetch(_CHANGED, since)
        for row in rows:
            key = (row["app_id"], row["user_id"], row["blocked_id"])
            if self._seen.get(key) == row["changed_at"]:
                continue
            for user_id in (row["user_id"], row["blocked_id"]):
                if (known := self._sets.get((row["app_id"], user_id))) is not None:
                    await self._read(row["app_id"], user_id, known)
        self._seen = {(row["app_id"], row["user_id"], row["blocked_id"]): row["changed_at"] for row in rows}
        self._looked_at = now

    async def _read(self, app_id: UUID, user_id: str, known: HiddenUsers) -> None:
        known.turn += 1
        turn = known.turn
        pool = await self._database.pool()
        rows = await pool.fetch(_HIDDEN, app_id, user_id)
        if known.turn != turn:
            return
        now = {row["a"] if row["b"] == user_id else row["b"] for row in rows}
        others, back = now ^ known, known - now
        known.clear()
        known.update(now)
        if others and turn > 1:
            await self.changed(app_id, user_id, others, bool(back))


async def _nobody(app_id: UUID, user_id: str, others: set[str], back: bool) -> None:
    pass
