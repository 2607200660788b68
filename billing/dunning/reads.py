"""Where apps stand, as pages read it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.dunning.ladder import State
from kernel.ids import format_id

_APP = text(
    "select d.app_id, a.name, d.state, d.unpaid_since, d.entered_at, d.moves_at from control.dunning d "
    "join control.apps a on a.id = d.app_id where d.app_id = :app and d.state not in ('active', 'erased')"
)
_ORGANIZATION = text(
    "select d.app_id, a.name, d.state, d.unpaid_since, d.entered_at, d.moves_at from control.dunning d "
    "join control.apps a on a.id = d.app_id where d.organization_id = :organization and a.status <> 'deleted' "
    "and d.state not in ('active', 'erased') order by d.moves_at, d.app_id limit 20"
)


@dataclass(frozen=True, slots=True)
class Unpaid:
    """An app with an unpaid bill: the step it is on since `entered_at`, and when the next one comes."""

    app_id: UUID
    app: str
    state: State
    unpaid_since: datetime
    entered_at: datetime
    moves_at: datetime

    @property
    def public_id(self) -> str:
        """`app_…`"""
        return format_id("app", self.app_id)


async def unpaid_app(session: AsyncSession, app_id: UUID) -> Unpaid | None:
    """An app's, if its bill is unpaid."""
    row = (await session.execute(_APP, {"app": app_id})).one_or_none()
    return None if row is None else Unpaid(*row)


async def unpaid_apps(session: AsyncSession, organization_id: UUID) -> list[Unpaid]:
    """Those of an organization, whose next step comes soonest first."""
    return [Unpaid(*row) for row in await session.execute(_ORGANIZATION, {"organization": organization_id})]
