"""What Stripe refused to do, for staff: to be asked for again once the reason is gone, or to be let be.

Wishes for a plan are not here, nor the plan after a trial: they are a customer's, who may have another wish by now and
would be charged for the old one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.provider.stripe.commands import WISHES, about
from control_plane import audit
from control_plane.context import Context
from control_plane.paging import Page
from kernel.errors import InvalidInput, NotFound

_LIST = text(
    """
    select id, organization_id, app_id, kind, subject, attempts, done_at, last_error from control.stripe_commands
    where state = 'refused' and not kind = any(cast(:wishes as text[])) and id < cast(:before as uuid)
    order by id desc limit :n
    """
)
_COUNT = text(
    "select count(*) from control.stripe_commands where state = 'refused' and not kind = any(cast(:wishes as text[]))"
)
# Stripe keeps its answers by key, refusals too, so the next try has another. It counts as the second at least: what
# must not be done twice is looked up before a second try.
_AGAIN = text(
    """
    update control.stripe_commands set state = 'pending', attempts = 1, due_at = :now, done_at = null,
        key = regexp_replace(key, '~[0-9]+$', '') || '~' || (coalesce(substring(key from '~([0-9]+)$'), '1')::int + 1)
    where id = :id and state = 'refused' and not kind = any(cast(:wishes as text[]))
    returning organization_id, app_id, kind, subject
    """
)
_DROP = text(
    "update control.stripe_commands set state = 'dropped' "
    "where id = :id and state = 'refused' and not kind = any(cast(:wishes as text[])) "
    "returning organization_id, app_id, kind, subject"
)
_TOLD: Final = (*WISHES, "subscribe")
"""What only the customer may ask for again."""
_LAST: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class RefusedCommand:
    """One of them. `kind` and `subject` as `commands.Commands` has them; `error` is what Stripe said."""

    id: UUID
    organization_id: UUID
    app_id: UUID | None
    kind: str
    subject: str
    attempts: int
    refused_at: datetime
    error: str | None

    @property
    def about(self) -> str:
        """The app's public id, or the organization's."""
        return about(self.app_id, self.organization_id)


async def refused(session: AsyncSession, *, cursor: str | None = None, limit: int = 50) -> Page[RefusedCommand]:
    """Refused commands, the newest first. Raises `InvalidInput` for what is no cursor."""
    try:
        before = UUID(cursor) if cursor is not None else _LAST
    except ValueError as error:
        raise InvalidInput("`cursor` is not one of this list.", field="cursor") from error
    rows = await session.execute(_LIST, {"wishes": list(_TOLD), "before": before, "n": limit + 1})
    found = [RefusedCommand(*row) for row in rows]
    return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)


async def count_refused(session: AsyncSession) -> int:
    """How many there are."""
    return int((await session.execute(_COUNT, {"wishes": list(_TOLD)})).scalar_one())


async def ask_again(ctx: Context, command_id: UUID) -> None:
    """Let the worker ask Stripe once more. Raises `NotFound`."""
    await _end(ctx, _AGAIN, command_id, "asked_again")


async def let_be(ctx: Context, command_id: UUID) -> None:
    """It is not to be done any more. Raises `NotFound`."""
    await _end(ctx, _DROP, command_id, "dropped")


async def _end(ctx: Context, sql: TextClause, command_id: UUID, word: str) -> None:
    values = {"id": command_id, "wishes": list(_TOLD)} | ({"now": ctx.now} if sql is _AGAIN else {})
    row = (await ctx.session.execute(sql, values)).one_or_none()
    if row is None:
        raise NotFound("There is no refused request with that id.")
    await audit.record(
        ctx,
        f"stripe.{row.kind}_{word}",
        about(row.app_id, row.organization_id),
        organization_id=row.organization_id,
        app_id=row.app_id,
        **({"subject": row.subject} if row.subject else {}),
    )
