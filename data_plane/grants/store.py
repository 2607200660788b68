"""The grant tables of a shard's apps, in memory: what the hot path is judged by.

The truth is in the shard. A change is an entry of the app's own log, `a:`, whose head is the table's version: whoever
reads a newer head loads the table again. Nodes hear of a change by a signal on the bus, and from the commits that they
follow every second when the bus has lost it.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

import orjson

from data_plane.grants.permissions import Grants, Permission
from data_plane.grants.table import DEFAULTS, ChannelType, GrantTable, Role
from data_plane.log.entries import APP_LOG, LogKey
from kernel.db import Database
from kernel.logging import get_logger

_HEAD: Final = "select app_id, last_seq from chat.log_heads where app_id = any($1) and log = $2"
_TYPES: Final = "select * from chat.channel_types where $1::uuid[] is null or app_id = any($1)"
_ROLES: Final = "select * from chat.roles where $1::uuid[] is null or app_id = any($1)"
_log = get_logger(__name__)

Listener = Callable[[UUID], None]


class GrantStore:
    """Tables by app. `database` connects as `natter_engine`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables: dict[UUID, GrantTable] = {}
        self._listeners: list[Listener] = []

    def of(self, app_id: UUID) -> GrantTable:
        """The table as this node knows it; that of an app which has said nothing when none is known."""
        return self._tables.get(app_id, DEFAULTS)

    def rules(self, app_id: UUID) -> str:
        """What the flush is told about an app."""
        return self._tables.get(app_id, DEFAULTS).rules

    def on_change(self, listener: Listener) -> None:
        """Call this with the app when its table was replaced by a newer one."""
        self._listeners.append(listener)

    def put(self, app_id: UUID, table: GrantTable) -> None:
        """Take a table, unless the one that is known is as new or newer."""
        if table.seq <= self.of(app_id).seq:
            return
        self._tables[app_id] = table
        for listener in self._listeners:
            try:
                listener(app_id)
            except Exception:
                _log.exception("grants.listener_failed")

    async def load_all(self) -> None:
        """Every app that has said something, for a node that starts. Raises the database's error when that is away."""
        await self._load(None)

    async def refresh(self, app_id: UUID) -> GrantTable:
        """Read one app's table again and return it."""
        await self._load([app_id])
        return self.of(app_id)

    async def at_least(self, app_id: UUID, seq: int) -> GrantTable:
        """The table as of `seq` of the app's log, or newer; reads it when memory is behind."""
        table = self.of(app_id)
        return table if table.seq >= seq else await self.refresh(app_id)

    async def newer_than(self, app_id: UUID, seq: int) -> bool:
        """Whether the app's table has changed since `seq`, with the new one in memory then. For a refusal that may be
        out of date."""
        pool = await self._database.pool()
        rows = await pool.fetch(_HEAD, [app_id], APP_LOG)
        return bool(rows) and (await self.at_least(app_id, rows[0]["last_seq"])).seq > seq

    async def follow(self, heads: Iterable[tuple[LogKey, int]]) -> None:
        """Heads that the follower has read: load what is newer than memory."""
        behind = [key.app_id for key, seq in heads if key.log == APP_LOG and seq > self.of(key.app_id).seq]
        if behind:
            await self._load(behind)

    async def _load(self, apps: list[UUID] | None) -> None:
        pool = await self._database.pool()
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            types = await connection.fetch(_TYPES, apps)
            roles = await connection.fetch(_ROLES, apps)
            wanted = apps if apps is not None else list({row["app_id"] for row in (*types, *roles)})
            heads = {row["app_id"]: row["last_seq"] for row in await connection.fetch(_HEAD, wanted, APP_LOG)}
        for app_id in wanted:
            own_types = [type_from(row) for row in types if row["app_id"] == app_id]
            own_roles = [role_from(row) for row in roles if row["app_id"] == app_id]
            self.put(app_id, GrantTable(own_types, own_roles, seq=heads.get(app_id, 0)))


def type_from(row: Any) -> ChannelType:
    """A row of `chat.channel_types`."""
    return ChannelType(
        name=row["name"],
        creator_role=row["creator_role"],
        grants={role: known(names) for role, names in _json(row["grants"]).items()},
        history=row["history"],
        receipts=row["receipts"],
        slow_mode=row["slow_mode"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def role_from(row: Any) -> Role:
    """A row of `chat.roles`."""
    return Role(
        name=row["name"],
        scopes=tuple(row["scopes"]),
        grants=known(_json(row["grants"])),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def known(names: Iterable[str]) -> Grants:
    """Stored names as permissions. Those of a newer version are left out: this one checks none of them."""
    return frozenset(Permission(name) for name in names if name in _NAMES)


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value


_NAMES: Final = frozenset(Permission)
