"""Monthly active users: who connected, used REST with a user token, or sent a message, in a UTC month.

The row is committed before the first use is answered; after that the node remembers the user in memory.
"""

import asyncio
from datetime import datetime
from uuid import UUID

from data_plane.identity.errors import UserDeactivated
from data_plane.tenancy.quotas import check_new_active, new_active_refused
from kernel.clock import Clock, month_of, truncate_ms
from kernel.contracts import AppSnapshot
from kernel.db import Database
from kernel.security.tokens import TokenRevoked
from kernel.security.vault import short_hash

_TOUCH = "select verdict from chat.touch_user($1, $2, $3, $4, $5, $6, $7)"


def subject_of(app: AppSnapshot, user_id: str) -> str:
    """What stands for the user in the ledger: 32 hex characters that name nobody."""
    return short_hash(app.app_id, user_id)


class ActivityTracker:
    """Counts each user once a month. `database` connects as `natter_engine`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._month = ""
        self._active: set[tuple[UUID, str]] = set()
        self._touching: dict[tuple[UUID, str, datetime], asyncio.Task[None]] = {}

    def is_active(self, app_id: UUID, user_id: str, now: datetime) -> bool:
        """Whether this node knows that the user is counted in the month of `now`."""
        return self._month == month_of(now) and (app_id, user_id) in self._active

    def remember(self, app_id: UUID, user_id: str, now: datetime) -> None:
        """The user's row of the month of `now` is committed: by a connect, or by a send that counted its author."""
        month = month_of(now)
        if month > self._month:
            self._month = month
            self._active = set()
        if month == self._month:
            self._active.add((app_id, user_id))

    def forget(self, app_id: UUID, user_id: str) -> None:
        """Look at the user anew at its next call: it may have been deactivated."""
        self._active.discard((app_id, user_id))

    async def touch(self, app: AppSnapshot, app_id: UUID, user_id: str, issued_at: datetime) -> None:
        """Count the user as active now, and make the user if a customer's own token names it for the first time.

        Returns when the row is committed. Raises `QuotaExceeded` for a user who is new this month when the plan allows
        no more, `UserDeactivated`, and `TokenRevoked` when the token is older than the user's last revocation.
        """
        now = self._clock.now()
        if self.is_active(app_id, user_id, now):
            return
        key = (app_id, user_id, issued_at)
        task = self._touching.get(key)
        if task is None:
            task = asyncio.create_task(self._touch(app, app_id, user_id, issued_at, now))
            self._touching[key] = task
            task.add_done_callback(lambda done: self._touched(key, done))
        # Shared by all requests of the moment; one client that hangs up must not stop it.
        await asyncio.shield(task)

    def _touched(self, key: tuple[UUID, str, datetime], done: "asyncio.Task[None]") -> None:
        self._touching.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever still waits gets it too; if nobody does, it is no news

    async def _touch(self, app: AppSnapshot, app_id: UUID, user_id: str, issued_at: datetime, now: datetime) -> None:
        pool = await self._database.pool()
        verdict: str = await pool.fetchval(
            _TOUCH,
            app_id,
            user_id,
            issued_at,
            month_of(now),
            subject_of(app, user_id),
            check_new_active(app, now),
            truncate_ms(now),
        )
        if verdict == "over_quota":
            raise new_active_refused(app, now)
        if verdict == "deactivated":
            raise UserDeactivated("This user is deactivated.", user_id=user_id)
        if verdict == "revoked":
            raise TokenRevoked("The user's tokens were revoked; get a new one from your server.")
        self.remember(app_id, user_id, now)
