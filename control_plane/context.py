"""What a use case is given, and what a process is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock, SystemClock, truncate_ms
from kernel.db import Database, UnitOfWork
from kernel.ids import Ids
from kernel.metrics import CollectorRegistry
from kernel.security.vault import Vault
from kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, for the audit log: `operator:cli`, `user:…`, `system:quota`; and in which request."""

    name: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The surroundings of one mutating use case: its transaction, who asks, and one instant for all it writes.

    By convention a public coroutine that takes a `Context` changes something and writes an audit entry; one that
    takes a session only reads.
    """

    uow: UnitOfWork
    actor: Actor
    now: datetime
    ids: Ids
    vault: Vault
    settings: Settings

    @property
    def session(self) -> AsyncSession:
        """The session of the unit of work."""
        return self.uow.session


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """The parts of a control-plane process. `database` must connect as the role `natter_control`."""

    settings: Settings
    database: Database
    vault: Vault
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=Ids)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    @asynccontextmanager
    async def change(self, actor: Actor) -> AsyncIterator[Context]:
        """One transaction for one or more use cases: committed at the end of the block. For edges only."""
        async with self.database.unit_of_work() as uow:
            yield Context(
                uow=uow,
                actor=actor,
                now=truncate_ms(self.clock.now()),
                ids=self.ids,
                vault=self.vault,
                settings=self.settings,
            )
