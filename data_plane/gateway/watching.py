"""Who watches a channel without being a member goes on only while its app role may: looked at again at every change.

A change is one of the app's table, of the channel's own grants, or of the user's role. Each reaches a node as an entry
or a signal, so a watcher whose permission ends hears nothing any more within 2 s.
"""

import asyncio
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import orjson

from data_plane.fanout.hub import Hub
from data_plane.gateway.connection import Connection, Registry
from data_plane.grants.defaults import ANONYMOUS
from data_plane.grants.permissions import Permission
from data_plane.log import Entry, LogKey, channel_log
from data_plane.shard import Shard
from kernel.logging import get_logger

_LOOK: Final = """
    select w.user_id, w.channel_id, c.type, c.grants::text as grants, u.role
    from unnest($2::text[], $3::text[]) w(user_id, channel_id)
    join chat.channels c on c.app_id = $1 and c.id = w.channel_id and c.deleted_at is null
    left join chat.users u on u.app_id = $1 and u.id = w.user_id
    where w.user_id is null or u.id is not null
"""
Pair = tuple[str | None, str]
"""A user, null for nobody, and a channel."""
_BATCH: Final = 500
_RETRY: Final = 0.5
_log = get_logger(__name__)


class Watching:
    """The watchers of one node."""

    def __init__(self, shard: Shard, hub: Hub, registry: Registry) -> None:
        self._shard = shard
        self._hub = hub
        self._registry = registry
        self._tasks: set[asyncio.Task[None]] = set()

    def app_changed(self, app_id: UUID) -> None:
        """An app's table is another one."""
        self._look_at(app_id, self._registry.of_app(app_id))

    def began(self, connection: Connection) -> None:
        """A connection watches something more. What it was judged by may have changed before it was counted here."""
        self._look_at(connection.app_id, [connection])

    def concerned(self, entry: Entry) -> None:
        """An entry has passed after which somebody may have to stop."""
        if entry.type == "channel.updated":
            channel_id = entry.key.channel_id
            watchers = [each for each in self._registry.of_app(entry.app_id) if channel_id in each.watching]
            self._look_at(entry.app_id, watchers)
        elif entry.type == "user.updated" and entry.subject is not None:
            self._look_at(entry.app_id, self._registry.of_user(entry.app_id, entry.subject))

    def _look_at(self, app_id: UUID, connections: Iterable[Connection]) -> None:
        watchers = [connection for connection in connections if connection.watching]
        if watchers:
            task = asyncio.create_task(self._look(app_id, watchers), name="watching")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look(self, app_id: UUID, watchers: list[Connection]) -> None:
        for start in range(0, len(watchers), _BATCH):
            batch = watchers[start : start + _BATCH]
            pairs = list({(each.user_id, channel_id) for each in batch for channel_id in each.watching})
            while True:
                try:
                    allowed = await self._allowed(app_id, pairs)
                    break
                except Exception as error:
                    _log.warning("watching.look_failed", error=repr(error), watchers=len(batch))
                    await asyncio.sleep(_RETRY)
            over: dict[str | None, list[str]] = {}
            for user_id, channel_id in pairs:
                if (user_id, channel_id) not in allowed:
                    over.setdefault(user_id, []).append(channel_id)
            for connection in batch:
                for channel_id in over.get(connection.user_id, ()):
                    if channel_id in connection.watching:
                        self._stop(connection, channel_id)

    async def _allowed(self, app_id: UUID, pairs: list[Pair]) -> set[Pair]:
        """Of these the ones who may watch these channels. Null is nobody: an anonymous visitor."""
        pool = await self._shard.system.pool()
        rows = await pool.fetch(_LOOK, app_id, [user for user, _ in pairs], [channel for _, channel in pairs])
        table = self._shard.grants.of(app_id)
        return {
            (row["user_id"], row["channel_id"])
            for row in rows
            if Permission.CHANNEL_WATCH
            in table.granted(
                row["type"],
                ANONYMOUS if row["user_id"] is None else table.app_role(row["role"]),
                orjson.loads(row["grants"] or "{}"),
            )
        }

    def _stop(self, connection: Connection, channel_id: str) -> None:
        key = LogKey(connection.app_id, channel_log(channel_id))
        connection.watching.discard(channel_id)
        self._hub.unwatch(connection, key)
        self._hub.leave(connection, key)
        connection.emit("watch.ended", {"channel_id": channel_id})
