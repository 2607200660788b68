"""Read logs on the hot path (asyncpg): ranges for gaps and pages, and everything of a user's logs since a cursor."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from data_plane.log.entries import CHANNEL, ITSELF, Entry, LogKey, channel_log, entry_from_row
from kernel.db import Database

_FIRST_SEQS: Final = (
    "select channel_id, greatest(history_from, cleared_to) as first from chat.members "
    "where app_id = $1 and user_id = $2 and (history_from > 0 or cleared_to > 0)"
)
_TRUNCATED: Final = "select id, truncated_to from chat.channels where app_id = $1 and id = any($2) and truncated_to > 0"
_HIDES: Final = (
    "select message_id from chat.hidden_messages where app_id = $1 and user_id = $2 and message_id = any($3)"
)
_HIDDEN: Final = '"hidden"'
"""Is in what stands beside a message that somebody hides, and seldom in that of others."""


class LogRange(NamedTuple):
    """A stretch of one log, both ends included."""

    key: LogKey
    first: int
    last: int


class Changes(NamedTuple):
    """What changed in a user's logs. `cursor` is a commit horizon; `entries` are ordered within each log."""

    entries: list[Entry]
    cursor: int
    has_more: bool


class Commit(NamedTuple):
    """One committed transaction's heads: where each log it touched ended."""

    heads: list[tuple[LogKey, int]]


class TooMuch(Exception):
    """More changed since the cursor than is worth replaying."""


_CREATED: Final = "message.created"
_OF_MESSAGES: Final = frozenset(
    {_CREATED, "message.updated", "message.deleted", "message.restored", "reaction.added", "reaction.removed"}
)
"""Entries that carry something of a message which a truncation may have taken away since; a deletion that of one which
was restored since."""


def _seq_of_message(entry: Entry) -> int:
    return entry.seq if entry.type == _CREATED else entry.about


class LogReader:
    """Reads every tenant's logs of one shard; callers pass the app and have checked who may see what."""

    def __init__(self, database: Database, epoch: str) -> None:
        self._database = database
        self.epoch = epoch

    async def ranges(self, wanted: Sequence[LogRange]) -> list[Entry]:
        """The entries of all the ranges in one statement, ordered by app, log, seq."""
        if not wanted:
            return []
        pool = await self._database.pool()
        rows = await pool.fetch(
            "select * from chat.read_ranges($1, $2, $3, $4)",
            [r.key.app_id for r in wanted],
            [r.key.log for r in wanted],
            [r.first for r in wanted],
            [r.last for r in wanted],
        )
        return [entry_from_row(row, self.epoch) for row in rows]

    async def changes(
        self, app_id: UUID, user_id: str, since: int, *, limit: int, tail: bool = False, at_most: int = 10_000
    ) -> Changes:
        """A prefix, in commit order, of what happened in all of a user's logs at or after the horizon `since`.

        With `tail` the last page also holds what is visible above the horizon, so that a live stream can follow
        without a hole. Raises `TooMuch` when more than `at_most` entries have gathered.
        """
        pool = await self._database.pool()
        rows = await pool.fetch(
            "select * from chat.sync_page($1, $2, $3, $4, $5, $6)", app_id, user_id, since, limit, tail, at_most
        )
        page = rows[0]
        if page["total"] > at_most:
            raise TooMuch
        # Commit order across logs, seq order within each (ids never fall within a log). Of one transaction the
        # user's own log comes first, so that a channel is known before its first event.
        found = [row for row in rows if row["log"] is not None]
        found.sort(key=lambda row: (row["xid"], row["log"].startswith(CHANNEL), row["log"], row["seq"]))
        entries = [entry_from_row(row, self.epoch) for row in found]
        if marked := {row["message_id"] for row in found if row["extra"] and _HIDDEN in row["extra"]}:
            pool = await self._database.pool()
            hidden = {row["message_id"] for row in await pool.fetch(_HIDES, app_id, user_id, list(marked))}
            entries = [
                entry.hidden() if row["message_id"] in hidden else entry
                for row, entry in zip(found, entries, strict=True)
            ]
        if any(entry.about or entry.shows for entry in entries):
            first = await self._first_seqs(app_id, user_id)
            entries = [entry.without(entry.unseen(first.get(entry.log, 0))) for entry in entries]
        if any(entry.type in _OF_MESSAGES for entry in entries):
            gone = await self._truncated(app_id, {entry.log for entry in entries if entry.type in _OF_MESSAGES})
            entries = [e.without(ITSELF) if 0 < _seq_of_message(e) < gone.get(e.log, 0) else e for e in entries]
        return Changes(entries, page["cursor"], page["has_more"])

    async def _first_seqs(self, app_id: UUID, user_id: str) -> dict[str, int]:
        """By log, from where on the user sees messages, of the channels where that is not the beginning."""
        pool = await self._database.pool()
        rows = await pool.fetch(_FIRST_SEQS, app_id, user_id)
        return {channel_log(row["channel_id"]): row["first"] for row in rows}

    async def _truncated(self, app_id: UUID, logs: set[str]) -> dict[str, int]:
        """By log, from where on anybody sees messages, of those that were truncated. What is gone is not told again to
        who was away."""
        pool = await self._database.pool()
        rows = await pool.fetch(_TRUNCATED, app_id, [log.removeprefix(CHANNEL) for log in logs])
        return {channel_log(row["id"]): row["truncated_to"] for row in rows}

    async def horizon(self) -> int:
        """Everything below it is decided for ever."""
        pool = await self._database.pool()
        horizon: int = await pool.fetchval("select chat.horizon()")
        return horizon

    async def commits(self, since: int, *, limit: int = 2000) -> tuple[list[Commit], int]:
        """Transactions committed at or after the horizon `since`, in commit order, and the horizon they reach."""
        pool = await self._database.pool()
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            horizon: int = await connection.fetchval("select chat.horizon()")
            rows = await connection.fetch(
                "select xid, apps, logs, seqs from chat.commits "
                "where xid >= $1 and xid < $2 order by xid, pos limit $3",
                since,
                horizon,
                limit,
            )
        commits = [
            Commit([(LogKey(a, g), s) for a, g, s in zip(row["apps"], row["logs"], row["seqs"], strict=True)])
            for row in rows
        ]
        # A transaction may have several rows; start the next page at the last one's id when the page was full.
        return commits, horizon if len(rows) < limit else rows[-1]["xid"]
