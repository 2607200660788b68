"""Everything of a user since a cursor, over all of its logs; or fresh state when that is not possible."""

from typing import Any, Final
from uuid import UUID

import orjson

from data_plane.blocks.everything import blocks_of_user
from data_plane.channels.everything import channels_of_user
from data_plane.grants.views import rows_view
from data_plane.log.reader import Changes, TooMuch
from data_plane.shard import Shard
from data_plane.sync.cursor import Cursor, decode_cursor

MAX_CHANGES: Final = 10_000
"""Entries behind which a client is better off with fresh state."""


class SyncService:
    """Reads for `GET /v1/sync`, the `sync` event, and connections that cannot resume."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def since(self, app_id: UUID, user_id: str, cursor_text: str | None, *, limit: int) -> dict[str, Any]:
        """`{recovered, events, cursor, has_more}`, a prefix in commit order; or, when the cursor is absent, of another
        epoch or too old, `{recovered: false, channels, grants, blocks, own_seq, cursor, has_more: false}`.

        For orjson: `events` are fragments, encoded already. Raises `BadCursor`.
        """
        if cursor_text is not None:
            cursor = decode_cursor(cursor_text)
            if (cursor.shard, cursor.epoch) == (self._shard.id, self._shard.epoch):
                changes = await self._changes(app_id, user_id, cursor.horizon, limit)
                if changes is not None:
                    return {
                        "recovered": True,
                        "events": [orjson.Fragment(entry.event) for entry in changes.entries],
                        "cursor": self._cursor(changes.cursor),
                        "has_more": changes.has_more,
                    }
        return {"recovered": False, **await self.fresh(app_id, user_id), "has_more": False}

    async def _changes(self, app_id: UUID, user_id: str, since: int, limit: int) -> Changes | None:
        """Null when there is too much, or when the cursor is ahead of the present: then a restore came in between that
        nobody announced."""
        try:
            changes = await self._shard.reader.changes(app_id, user_id, since, limit=limit, at_most=MAX_CHANGES)
        except TooMuch:
            return None
        return changes if changes.cursor >= since else None

    async def fresh(self, app_id: UUID, user_id: str) -> dict[str, Any]:
        """`{channels, grants, blocks, own_seq, cursor}`: all but the blocks of one snapshot; what changes later comes
        with the cursor.

        Blocks are read after it. What happened in between is in them already and comes again, which changes nothing.
        """
        everything = await channels_of_user(self._shard, app_id, user_id)
        return {
            "channels": everything.channels,
            "grants": rows_view(everything.table),
            "blocks": await blocks_of_user(self._shard.system, app_id, user_id),
            "own_seq": everything.own_seq,
            "cursor": self._cursor(everything.horizon),
        }

    def _cursor(self, horizon: int) -> str:
        return Cursor(self._shard.id, self._shard.epoch, horizon).encode()
