"""What every feature of a node is built from: the shard's databases under their roles, its logs, and the clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from data_plane.grants.store import GrantStore
from data_plane.log import LogReader, LogWriter
from kernel.clock import Clock
from kernel.db import Database, UnitOfWork
from kernel.ids import Ids
from kernel.outbox import Outbox
from kernel.security.vault import Vault


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard as one process serves it.

    `tenant` connects as `natter_app`, under row-level security; everything done for a caller goes through
    `unit_of_work`. `system` connects as `natter_engine`, sees every tenant, and is for the named functions alone
    (flush, logs, connect), which take an app as an argument.
    """

    id: str
    epoch: str
    tenant: Database
    system: Database
    logs: LogWriter
    reader: LogReader
    grants: GrantStore
    outbox: Outbox
    clock: Clock
    ids: Ids
    vault: Vault

    @asynccontextmanager
    async def unit_of_work(
        self, app_id: UUID, *, read_only: bool = False, snapshot: bool = False
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction that sees one app's rows and no others. Opened by edges only; commits when the block ends."""
        async with self.tenant.unit_of_work(str(app_id), read_only=read_only, snapshot=snapshot) as uow:
            yield uow
