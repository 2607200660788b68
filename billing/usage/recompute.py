"""Count a month again from the raw ledger, by other means than the rollup's."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.usage.periods import month_bounds
from billing.usage.rollup import METERED, month_totals

_FROM_LEDGER = text(
    """
    with mine as (
        select * from control.usage_ledger
        where app_id = :app_id and at >= :begin and at < :end and received_at <= coalesce(cast(:cut as timestamptz),
        received_at)
    ), by_source as (
        select date_trunc('minute', at, 'UTC') as minute, source, max(quantity) as quantity
        from mine where meter = 'peak_connections' group by 1, 2
    )
    select (select coalesce(sum(quantity), 0)::bigint from mine where meter = 'messages') as messages,
           (select count(distinct subject) from mine where meter = 'mau') as mau,
           (select coalesce(max(total), 0)::bigint
            from (select sum(quantity) as total from by_source group by minute) minutes) as peak_connections,
           -- A level: all changes ever, up to the month's end.
           (select greatest(coalesce(sum(quantity), 0), 0)::bigint from control.usage_ledger
            where app_id = :app_id and meter = 'storage_bytes' and at < :end
                and received_at <= coalesce(cast(:cut as timestamptz), received_at)) as storage_bytes
    """
)


@dataclass(frozen=True, slots=True)
class Recount:
    """A month of an app twice: from the raw rows, and as the rollup has it. Units by meter."""

    month: str
    ledger: dict[str, int]
    rollup: dict[str, int]

    @property
    def agrees(self) -> bool:
        """Whether both say the same."""
        return all(self.ledger[meter] == self.rollup[meter] for meter in METERED)


async def recompute(session: AsyncSession, app_id: UUID, month: str) -> Recount:
    """Count both ways. Raises `InvalidInput` for a month not written as 2026-01.

    While usage arrives, run it in a repeatable-read transaction, or the two counts are of different moments.
    """
    return Recount(month, await count(session, app_id, month), await month_totals(session, app_id, month))


async def count(session: AsyncSession, app_id: UUID, month: str, *, cut: datetime | None = None) -> dict[str, int]:
    """Units by meter of a month from the raw rows, of those that were received by `cut` if it is given.

    The same cut gives the same numbers for ever, because rows are only added. Raises `InvalidInput`.
    """
    begin, end = month_bounds(month)
    values = {"app_id": app_id, "begin": begin, "end": end, "cut": cut}
    return dict((await session.execute(_FROM_LEDGER, values)).one()._mapping)
