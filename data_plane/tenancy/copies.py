"""The shard's own copies of its apps' snapshots, from which a node starts while the control plane is away.

Sealed, because a snapshot holds signing secrets. A version is written only after everything before it, and a page in
one transaction, so the greatest version among the copies tells up to where they are complete.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from kernel.contracts import AppSnapshot
from kernel.db import Database
from kernel.ids import format_id, parse_id
from kernel.logging import get_logger
from kernel.security.vault import Vault

_PURPOSE = "app-snapshots"
# In key order, so that two nodes that write the same page wait for each other instead of locking each other out.
_SAVE = """
    insert into chat.app_snapshots as held (app_id, version, sealed)
    select * from unnest($1::uuid[], $2::bigint[], $3::bytea[]) x(app_id, version, sealed) order by x.app_id
    on conflict (app_id) do update set version = excluded.version, sealed = excluded.sealed
    where held.version < excluded.version
"""
_log = get_logger(__name__)


class LoadedCopies(NamedTuple):
    """What was kept. The snapshots are complete up to `version`; 0 when a copy could not be read."""

    snapshots: list[AppSnapshot]
    version: int


class SnapshotCopies:
    """Writes and reads `chat.app_snapshots` of one shard; `database` connects as `natter_engine`."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def save(self, snapshots: Sequence[AppSnapshot]) -> None:
        """Keep these in one transaction; a newer copy that is there already stays."""
        if not snapshots:
            return
        rows = {parse_id("app", item.app_id): item for item in sorted(snapshots, key=lambda item: item.version)}
        pool = await self._database.pool()
        await pool.execute(
            _SAVE, list(rows), [item.version for item in rows.values()], [self._seal(item) for item in rows.values()]
        )

    async def load(self) -> LoadedCopies:
        """Everything kept, oldest change first. A copy that does not open is left out and logged."""
        pool = await self._database.pool()
        rows = await pool.fetch("select app_id, version, sealed from chat.app_snapshots order by version")
        snapshots: list[AppSnapshot] = []
        for row in rows:
            try:
                snapshots.append(self._open(row["app_id"], row["sealed"]))
            except (ValueError, msgspec.DecodeError) as error:
                _log.exception("snapshots.unreadable_copy", appId=format_id("app", row["app_id"]), error=repr(error))
        complete = len(snapshots) == len(rows)
        return LoadedCopies(snapshots, rows[-1]["version"] if rows and complete else 0)

    def _seal(self, snapshot: AppSnapshot) -> bytes:
        return self._vault.seal(_PURPOSE, msgspec.json.encode(snapshot), context=snapshot.app_id.encode())

    def _open(self, app_id: UUID, sealed: bytes) -> AppSnapshot:
        plain = self._vault.open(_PURPOSE, sealed, context=format_id("app", app_id).encode())
        return msgspec.json.decode(plain, type=AppSnapshot)
