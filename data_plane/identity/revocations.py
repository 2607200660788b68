"""Whose tokens were revoked, in memory. The truth is `chat.users.tokens_valid_after`; the bus is the fast way."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from kernel.clock import Clock
from kernel.db import Database
from kernel.logging import get_logger
from kernel.security.tokens import LEEWAY, MAX_LIFETIME

KEPT: Final = MAX_LIFETIME + LEEWAY + timedelta(minutes=30)
"""No token outlives this, so older revocations revoke nothing any more."""
OVERLAP: Final = timedelta(minutes=2)
"""Each look goes back this far before the last: a revocation is stamped before it commits, by another node's clock."""
_PRUNE_EVERY: Final = timedelta(minutes=10)

_SINCE = "select app_id, id, tokens_valid_after from chat.users where tokens_valid_after >= $1"
_log = get_logger(__name__)

Listener = Callable[[UUID, str, datetime], None]


class Revocations:
    """The start of validity of each user's tokens, for users with a revocation in the last day."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._valid_after: dict[tuple[UUID, str], datetime] = {}
        self._listeners: list[Listener] = []
        self._looked_at: datetime | None = None
        self._pruned_at = clock.now()

    def on_revoked(self, listener: Listener) -> None:
        """Call this with `(app, user, valid_after)` whenever a revocation becomes known, so that sockets are closed."""
        self._listeners.append(listener)

    def valid_after(self, app_id: UUID, user_id: str) -> datetime | None:
        """The user's tokens issued before this instant are revoked; null when none are."""
        return self._valid_after.get((app_id, user_id))

    def is_revoked(self, app_id: UUID, user_id: str, issued_at: datetime) -> bool:
        """Whether a token of this user that was issued then has been revoked, as far as this node knows."""
        valid_after = self._valid_after.get((app_id, user_id))
        return valid_after is not None and issued_at < valid_after

    def note(self, app_id: UUID, user_id: str, valid_after: datetime) -> None:
        """Learn of one revocation. Old news changes nothing and calls nobody."""
        known = self._valid_after.get((app_id, user_id))
        if known is not None and known >= valid_after:
            return
        self._valid_after[app_id, user_id] = valid_after
        for listener in self._listeners:
            try:
                listener(app_id, user_id, valid_after)
            except Exception:
                _log.exception("revocations.listener_failed", userId=user_id)

    async def refresh(self) -> None:
        """Look into the shard for what the bus did not bring. Call it every 2 s or more often.

        The first call loads everything that still matters; a node must not serve before it. Raises the database's
        error when that is away; the next call then looks back as far as needed.
        """
        now = self._clock.now()
        since = now - KEPT if self._looked_at is None else max(self._looked_at - OVERLAP, now - KEPT)
        pool = await self._database.pool()
        for row in await pool.fetch(_SINCE, since):
            self.note(row["app_id"], row["id"], row["tokens_valid_after"])
        self._looked_at = now
        if now - self._pruned_at > _PRUNE_EVERY:
            self._pruned_at = now
            self._valid_after = {key: at for key, at in self._valid_after.items() if at > now - KEPT}
