"""The ledger of credits: each grant has a chain of entries, and each entry says what is left of the grant after it.

Two writers cannot follow the same entry (the key is the grant and the entry's number in it) and no entry can leave less
than nothing (a check), so that a balance is never below zero, whatever runs at once. The lock below only makes them
wait instead of failing. Grants are drawn on by priority (the lowest first), then by what expires first, then by age.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit
from control_plane.context import Context
from kernel.clock import rfc3339
from kernel.errors import InvalidInput, NotFound
from kernel.ids import format_id

MOST: Final = 10**12

_LOCK = text("select pg_advisory_xact_lock(hashtextextended('credits ' || :organization, 0))")
_ORGANIZATION = text("select 1 from control.organizations where id = :organization")
_GRANT = text(
    """
    insert into control.credit_grants (id, organization_id, amount, priority, reason, expires_at, created_at,
    created_by)
    values (:id, :organization, :amount, :priority, :reason, :expires, :now, :by)
    """
)
_ENTRY = text(
    """
    insert into control.credit_entries (grant_id, seq, organization_id, kind, amount, balance, at, invoice_id)
    values (:id, :seq, :organization, :kind, :amount, :balance, :now, :invoice)
    """
)
_GRANTS = text(
    """
    select g.id, g.amount, g.priority, g.reason, g.expires_at, g.created_at, e.balance, e.seq
    from control.credit_grants g
    join lateral (select balance, seq from control.credit_entries x where x.grant_id = g.id order by seq desc limit 1) e
        on true
    where g.organization_id = :organization
    order by g.priority, g.expires_at nulls last, g.id
    """
)
_ENTRIES = text(
    """
    select e.grant_id, g.reason, e.kind, e.amount, e.balance, e.at, e.invoice_id
    from control.credit_entries e join control.credit_grants g on g.id = e.grant_id
    where e.organization_id = :organization order by e.at desc, e.grant_id desc, e.seq desc limit :n
    """
)


@dataclass(frozen=True, slots=True)
class Credit:
    """A grant and what is left of it, in minor units; `seq` numbers its newest entry."""

    id: UUID
    amount: int
    priority: int
    reason: str
    expires_at: datetime | None
    created_at: datetime
    balance: int
    seq: int

    def usable(self, now: datetime) -> bool:
        """Whether something can be taken from it."""
        return self.balance > 0 and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class CreditEntry:
    """What became of a grant."""

    grant_id: UUID
    reason: str
    kind: str
    amount: int
    balance: int
    at: datetime
    invoice_id: UUID | None


async def grant_credit(
    ctx: Context,
    organization_id: UUID,
    amount: int,
    *,
    reason: str,
    expires_at: datetime | None = None,
    priority: int = 0,
) -> UUID:
    """Give an organization credit, minor units. Raises `InvalidInput`, `NotFound`."""
    if not 1 <= amount <= MOST:
        raise InvalidInput(f"`amount` must be 1 to {MOST} minor units.", field="amount")
    if not 1 <= len(reason.strip()) <= 200:
        raise InvalidInput("Say why, in at most 200 characters: the customer sees it.", field="reason")
    if expires_at is not None and expires_at <= ctx.now:
        raise InvalidInput("It would have expired already.", field="expires_at")
    if await ctx.session.scalar(_ORGANIZATION, {"organization": organization_id}) is None:
        raise NotFound("There is no such organization.")
    grant_id = ctx.ids.uuid7()
    values = {"id": grant_id, "organization": organization_id, "amount": amount, "now": ctx.now}
    more = {"priority": priority, "reason": reason.strip(), "expires": expires_at, "by": ctx.actor.name}
    await ctx.session.execute(_GRANT, values | more)
    await ctx.session.execute(_ENTRY, values | {"seq": 0, "kind": "grant", "balance": amount, "invoice": None})
    await audit.record(
        ctx,
        "credit.granted",
        format_id("cred", grant_id),
        organization_id=organization_id,
        amount=amount,
        reason=reason.strip(),
        expires=rfc3339(expires_at) if expires_at else None,
    )
    return grant_id


async def balances(session: AsyncSession, organization_id: UUID, *, now: datetime) -> list[Credit]:
    """What can be drawn on, in the order in which it is."""
    rows = await session.execute(_GRANTS, {"organization": organization_id})
    return [credit for row in rows if (credit := Credit(*row)).usable(now)]


async def debit(
    session: AsyncSession,
    organization_id: UUID,
    amount: int,
    *,
    invoice_id: UUID,
    now: datetime,
    as_of: datetime | None = None,
) -> list[tuple[Credit, int]]:
    """Take up to `amount` minor units of what is usable (`as_of` another time than now, if that is given).

    Returns from which grants how much, in order. It may be less than was asked for.
    """
    await session.execute(_LOCK, {"organization": str(organization_id)})
    taken, left = [], amount
    for credit in await balances(session, organization_id, now=as_of or now):
        take = min(left, credit.balance)
        if take > 0:
            await _append(session, organization_id, credit, "debit", take, now, invoice_id)
            taken.append((credit, take))
            left -= take
    return taken


async def expire(session: AsyncSession, organization_id: UUID, *, now: datetime) -> int:
    """Write off what has expired; returns how much. Until then it cannot be drawn on either."""
    await session.execute(_LOCK, {"organization": str(organization_id)})
    total = 0
    for row in (await session.execute(_GRANTS, {"organization": organization_id})).all():
        credit = Credit(*row)
        if credit.balance > 0 and not credit.usable(now):
            await _append(session, organization_id, credit, "expiry", credit.balance, now, None)
            total += credit.balance
    return total


async def entries_of(session: AsyncSession, organization_id: UUID, *, limit: int = 200) -> list[CreditEntry]:
    """The newest entries first."""
    rows = await session.execute(_ENTRIES, {"organization": organization_id, "n": limit})
    return [CreditEntry(*row) for row in rows]


async def _append(
    session: AsyncSession,
    organization_id: UUID,
    credit: Credit,
    kind: str,
    amount: int,
    now: datetime,
    invoice_id: UUID | None,
) -> None:
    values = {
        "id": credit.id,
        "seq": credit.seq + 1,
        "organization": organization_id,
        "kind": kind,
        "amount": -amount,
        "balance": credit.balance - amount,
        "now": now,
        "invoice": invoice_id,
    }
    await session.execute(_ENTRY, values)
