"""The list of apps whose standing must be computed again. A row of the transaction that makes it necessary, so that
no crash leaves a standing behind its ledger. Rows are only added and taken, so that adding never waits.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_MARK = text(
    "insert into control.standings_due (app_id, due_at) select unnest(cast(:apps as uuid[])), cast(:at as timestamptz)"
)


async def mark_due(session: AsyncSession, apps: Iterable[UUID], *, at: datetime) -> None:
    """Have these apps' standings computed again at that time or soon after."""
    await session.execute(_MARK, {"apps": sorted(set(apps)), "at": at})
