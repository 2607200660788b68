"""Facts: rows that are added and never changed, so that what was in force at any moment can be told later.

A change of plan at the period's end, the end of a trial, an add-on that goes are facts that begin in the future; the
quota keeper is told to look when they do.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import entitlements
from control_plane.context import Context

ENDED: Final = "ended"
"""The subject of the fact that nothing of an app's terms holds: its organization is closed, or it is deleted. A
value of null takes it back, and what was agreed holds as if it had not been there."""

Kind = Literal["plan", "trial", "addon", "override", "over", "budget", "alerts"]

_COLUMNS: Final = "id, organization_id, app_id, kind, subject, value, began_at, created_at, created_by, reason"
# What began at the same moment follows the order in which it was written: ids are sorted by time.
_LOAD = text(
    f"select {_COLUMNS} from control.terms where app_id = :app and cancelled_at is null order by began_at, id"  # noqa: S608
)
_LOAD_ORGANIZATION = text(
    f"select {_COLUMNS} from control.terms where organization_id = :organization and cancelled_at is null "  # noqa: S608
    "and created_at <= :cut order by began_at, id"
)
_INSERT = text(
    """
    insert into control.terms (id, organization_id, app_id, kind, subject, value, began_at, created_at, created_by,
    reason)
    values (:id, :organization, :app, :kind, :subject, cast(:value as jsonb), :began, :now, :by, :reason)
    """
)
_CANCEL = text(
    "update control.terms set cancelled_at = :now where app_id = :app and kind = :kind and subject = :subject "
    "and began_at > :now and cancelled_at is null returning id"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One of them. `value` is `None` where nothing of this kind and subject holds from then on."""

    id: UUID
    organization_id: UUID
    app_id: UUID
    kind: str
    subject: str
    value: Any
    began_at: datetime
    created_at: datetime
    created_by: str
    reason: str | None


async def load(session: AsyncSession, app_id: UUID) -> list[Fact]:
    """All facts of an app that were not taken back, in the order in which they begin."""
    return [Fact(*row) for row in await session.execute(_LOAD, {"app": app_id})]


async def load_organization(session: AsyncSession, organization_id: UUID, cut: datetime) -> dict[UUID, list[Fact]]:
    """The same of all apps of an organization, as they were known at `cut`."""
    apps: dict[UUID, list[Fact]] = defaultdict(list)
    for row in await session.execute(_LOAD_ORGANIZATION, {"organization": organization_id, "cut": cut}):
        fact = Fact(*row)
        apps[fact.app_id].append(fact)
    return apps


class Agreement:
    """States facts about one app within a use case, which writes the audit entry."""

    def __init__(self, ctx: Context, organization_id: UUID, app_id: UUID) -> None:
        self._ctx = ctx
        self._organization_id = organization_id
        self._app_id = app_id

    async def state(
        self,
        kind: Kind,
        value: object,
        *,
        subject: str = "",
        began_at: datetime | None = None,
        reason: str | None = None,
    ) -> None:
        """Add a fact, from now on unless it begins later, and have the app looked at when it does."""
        ctx, began = self._ctx, began_at or self._ctx.now
        row = {
            "id": ctx.ids.uuid7(),
            "organization": self._organization_id,
            "app": self._app_id,
            "kind": kind,
            "subject": subject,
            "value": msgspec.json.encode(value).decode(),
            "began": began,
            "now": ctx.now,
            "by": ctx.actor.name,
            "reason": reason,
        }
        await ctx.session.execute(_INSERT, row)
        await entitlements.mark_due(ctx.session, [self._app_id], at=max(began, ctx.now))

    async def take_back(self, kind: Kind, subject: str = "") -> int:
        """Cancel what has not begun; returns how many facts."""
        values = {"app": self._app_id, "kind": kind, "subject": subject, "now": self._ctx.now}
        return len((await self._ctx.session.execute(_CANCEL, values)).all())


def newest(facts: Sequence[Fact], at: datetime) -> dict[tuple[str, str], Fact]:
    """By kind and subject the fact that holds at a moment, those without a value left out."""
    held: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        if fact.began_at <= at:
            held[fact.kind, fact.subject] = fact
    return {key: fact for key, fact in held.items() if fact.value is not None}
