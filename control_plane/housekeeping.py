"""Remove what has served its time: letters, links, sessions, throttles, organizations that were closed 30 days ago.

Any number of processes may do it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from control_plane.accounts.sessions import IDLE
from control_plane.context import Deps
from control_plane.organizations.erasure import MayErase, erase_due
from kernel.logging import get_logger

KEEP_MAILS: Final = timedelta(days=7)
_KEEP_SPENT: Final = timedelta(days=7)
_EVERY: Final = 600.0

_log = get_logger(__name__)

_SWEEPS: Final = {
    "mails": text("delete from control.mails where created_at <= :mails returning 1"),
    "one_time_tokens": text("delete from control.one_time_tokens where expires_at <= :spent returning 1"),
    "sessions": text("delete from control.sessions where expires_at <= :now or last_seen_at <= :idle returning 1"),
    # Below its own "now" a throttle says what no row says.
    "throttles": text("delete from control.throttles where tat <= :now returning 1"),
}


class Housekeeper:
    """Sweeps every ten minutes."""

    def __init__(self, deps: Deps, *, may_erase: MayErase) -> None:
        self._deps = deps
        self._may_erase = may_erase

    async def sweep(self) -> dict[str, int]:
        """Remove what is due now; returns how many rows by table."""
        now: datetime = self._deps.clock.now()
        times = {"mails": now - KEEP_MAILS, "spent": now - _KEEP_SPENT, "now": now, "idle": now - IDLE}
        removed = {}
        for table, statement in _SWEEPS.items():
            wanted = {name: times[name] for name in statement.compile().params}
            async with self._deps.database.unit_of_work() as uow:
                removed[table] = len((await uow.session.execute(statement, wanted)).all())
        removed["organizations"] = await erase_due(self._deps, self._may_erase)
        return removed

    async def run(self) -> None:
        """Sweep at once and then every ten minutes. Runs until it is cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception:
                _log.exception("housekeeping.failed")
            await asyncio.sleep(_EVERY)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` as a background task of this block."""
        task = asyncio.create_task(self.run(), name="housekeeper")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
