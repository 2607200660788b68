"""What a use case is given, and what a process is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.accounts.passwords import Passwords
from control_plane.keys.jwks_url import JwksFetcher
from control_plane.members.scope import Member
from kernel.clock import Clock, SystemClock, truncate_ms
from kernel.db import Database, UnitOfWork
from kernel.ids import Ids
from kernel.metrics import CollectorRegistry
from kernel.security.vault import Vault
from kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, for the audit log: `operator:cli`, `account:acc_…`, `system:quota`; and in which request."""

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
    """The parts of a control-plane process.

    `database` must connect as the role `natter_control`: the system's and identity's. `portal_database` must connect
    as `natter_portal`, which sees the rows of one organization: everything that a customer's page reads or writes.
    `openapi` is the API's committed document, as it is served.
    """

    settings: Settings
    database: Database
    portal_database: Database
    vault: Vault
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=Ids)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    passwords: Passwords = field(default_factory=Passwords)
    jwks: JwksFetcher = field(default_factory=JwksFetcher)
    openapi: bytes = b""

    @asynccontextmanager
    async def change(self, actor: Actor) -> AsyncIterator[Context]:
        """One transaction for one or more use cases: committed at the end of the block. For edges only."""
        async with self.database.unit_of_work() as uow:
            yield self._context(uow, actor)

    @asynccontextmanager
    async def read(self, member: Member) -> AsyncIterator[UnitOfWork]:
        """A transaction that cannot write and sees the member's organization alone."""
        organization = str(member.organization_id)
        async with self.portal_database.unit_of_work(organization=organization, read_only=True) as uow:
            yield uow

    @asynccontextmanager
    async def change_as(self, member: Member, request_id: str | None) -> AsyncIterator[Context]:
        """As `change`, in the member's name and inside the member's organization alone.

        What the member may do is asked by `member.require` before.
        """
        async with self.portal_database.unit_of_work(organization=str(member.organization_id)) as uow:
            yield self._context(uow, Actor(member.actor, request_id))

    async def close(self) -> None:
        """Close both databases."""
        await self.database.close()
        await self.portal_database.close()

    def _context(self, uow: UnitOfWork, actor: Actor) -> Context:
        return Context(
            uow=uow,
            actor=actor,
            now=truncate_ms(self.clock.now()),
            ids=self.ids,
            vault=self.vault,
            settings=self.settings,
        )
