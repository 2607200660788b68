"""Read logs on the hot path (asyncpg): ranges for gaps and pages, and everything of a user's logs since a cursor."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from data_plane.log.entries import CHANNEL, ITSELF, Entry, LogKey, channel_log, entry_from_row
from kernel.db import Database

_PAGES: Final = (
    "select w.ord, p.* "
    "from unnest($1::uuid[], $2::text[], $3::bigint[]) with ordinality w (app_id, user_id, since, ord), "
    "lateral chat.sync_page(w.app_id, w.user_id, w.since, $4, $5, $6) p"
)
_FIRST_SEQS: Final = (
    "select w.ord, m.channel_id, greatest(m.history_from, m.cleared_to) as first "
    "from unnest($1::uuid[], $2::text[]) with ordinality w (app_id, user_id, ord) "
    "join chat.members m on m.app_id = w.app_id and m.user_id = w.user_id "
    "where m.history_from > 0 or m.cleared_to > 0"
)
_TRUNCATED: Final = (
    "select c.app_id, c.id, c.truncated_to from unnest($1::uuid[], $2::text[]) w (app_id, id) "
    "join chat.channels c on c.app_id = w.app_id and c.id = w.id where c.truncated_to > 0"
)
_HIDES: Final = (
    "select w.ord, h.message_id from unnest($1::int[], $2::uuid[], $3::text[], $4::uuid[]) "
    "w (ord, app_id, user_id, message_id) "
    "join chat.hidden_messages h on h.app_id = w.app_id and h.user_id = w.user_id and h.message_id = w.message_id"
)
_HIDDEN: Final = '"hidden"'
"""Is in what stands beside a message that somebody hides, and seldom in that of others."""


class LogRange(NamedTuple):
    """A stretch of one log, both ends included."""

    key: LogKey
    first: int
    last: int


class Since(NamedTuple):
    """A user, and the commit horizon up to which it knows its logs."""

    app_id: UUID
    user_id: str
    horizon: int


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


def _columns(users: Sequence[Since]) -> tuple[list[UUID], list[str], list[int]]:
    return [each.app_id for each in users], [each.user_id for each in users], [each.horizon for each in users]


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
        (changes,) = await self.changes_of([Since(app_id, user_id, since)], limit=limit, tail=tail, at_most=at_most)
        if changes is None:
            raise TooMuch
        return changes

    async def changes_of(
        self, users: Sequence[Since], *, limit: int, tail: bool = False, at_most: int = 10_000
    ) -> list[Changes | None]:
        """`changes` of several users, in their order, by as many statements as those of one; null where too much has
        gathered. `limit` and `at_most` are each one's."""
        pool = await self._database.pool()
        rows = await pool.fetch(_PAGES, *_columns(users), limit, tail, at_most)
        pages: list[list[Any]] = [[] for _ in users]
        for row in rows:
            pages[row["ord"] - 1].append(row)
        # Commit order across logs, seq order within each (ids never fall within a log). Of one transaction the
        # user's own log comes first, so that a channel is known before its first event.
        found = [
            sorted(
                (row for row in page if row["log"] is not None),
                key=lambda row: (row["xid"], row["log"].startswith(CHANNEL), row["log"], row["seq"]),
            )
            for page in pages
        ]
        entries = [[entry_from_row(row, self.epoch) for row in each] for each in found]
        await self._hide(users, found, entries)
        await self._keep_from_newcomers(users, entries)
        await self._leave_out_truncated(entries)
        return [
            Changes(each, page[0]["cursor"], page[0]["has_more"]) if page[0]["total"] <= at_most else None
            for each, page in zip(entries, pages, strict=True)
        ]

    async def _hide(self, users: Sequence[Since], found: list[list[Any]], entries: list[list[Entry]]) -> None:
        """Take the words of messages that a user hides out of its entries, which were made of the rows in `found`."""
        marked = {
            (at, row["message_id"])
            for at, rows in enumerate(found)
            for row in rows
            if row["extra"] and _HIDDEN in row["extra"]
        }
        if not marked:
            return
        ords = [at for at, _ in marked]
        pool = await self._database.pool()
        rows = await pool.fetch(
            _HIDES, ords, *_columns([users[at] for at in ords])[:2], [message_id for _, message_id in marked]
        )
        hidden = {(row["ord"], row["message_id"]) for row in rows}
        for at in {at for at, _ in hidden}:
            entries[at] = [
                entry.hidden() if (at, row["message_id"]) in hidden else entry
                for row, entry in zip(found[at], entries[at], strict=True)
            ]

    async def _keep_from_newcomers(self, users: Sequence[Since], entries: list[list[Entry]]) -> None:
        """Take out what entries show of messages from before a user sees any of their channel."""
        asked = [at for at, each in enumerate(entries) if any(entry.about or entry.shows for entry in each)]
        if not asked:
            return
        pool = await self._database.pool()
        rows = await pool.fetch(_FIRST_SEQS, *_columns([users[at] for at in asked])[:2])
        first = {(asked[row["ord"] - 1], channel_log(row["channel_id"])): row["first"] for row in rows}
        for at in {at for at, _ in first}:
            entries[at] = [entry.without(entry.unseen(first.get((at, entry.log), 0))) for entry in entries[at]]

    async def _leave_out_truncated(self, entries: list[list[Entry]]) -> None:
        """Take out what nobody sees any more, because a channel was truncated."""
        logs = {entry.key for each in entries for entry in each if entry.type in _OF_MESSAGES}
        if not logs:
            return
        pool = await self._database.pool()
        rows = await pool.fetch(
            _TRUNCATED, [key.app_id for key in logs], [key.log.removeprefix(CHANNEL) for key in logs]
        )
        gone = {LogKey(row["app_id"], channel_log(row["id"])): row["truncated_to"] for row in rows}
        if not gone:
            return
        for at, each in enumerate(entries):
            entries[at] = [e.without(ITSELF) if 0 < _seq_of_message(e) < gone.get(e.key, 0) else e for e in each]

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
