"""Erase organizations that were closed 30 days ago. Any number of processes may do it.

Keys, grants, memberships, invitations and offers are deleted. The organization and its apps stay as rows without
words, because the usage ledger's numbers belong to them; the audit log stays, because it is append-only, and so do
final invoices, terms and credits (docs/metering.md). Nodes hear that the apps are deleted and
drop what they hold of them.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit, configuration
from control_plane.apps.models import App
from control_plane.context import Actor, Context, Deps
from control_plane.entitlements.models import Entitlement
from control_plane.keys.models import ApiKey, AppSigningKey
from control_plane.members.models import Invitation, Membership
from control_plane.organizations.closing import KEPT_FOR
from control_plane.organizations.details import BillingDetails
from control_plane.organizations.models import Organization, OwnershipOffer
from kernel.ids import format_id

MayErase = Callable[[AsyncSession, UUID], Awaitable[bool]]
"""Whether a layer above is done with an organization's words. It is asked again until it is."""

ERASED: Final = "(erased)"
_ACTOR: Final = Actor("system:erasure")


async def _always(_: AsyncSession, __: UUID) -> bool:
    return True


async def erase_due(deps: Deps, may_erase: MayErase = _always) -> int:
    """Erase what is due, each organization in a transaction of its own; returns how many there were."""
    async with deps.database.unit_of_work(read_only=True) as uow:
        due = list((await uow.session.execute(_due(deps.clock.now()))).scalars())
    erased = 0
    for organization_id in due:
        async with deps.change(_ACTOR) as ctx:
            # As everywhere: the configuration's lock first, since nodes will hear of it.
            await configuration.advance(ctx.session)
            still = _due(ctx.now).where(Organization.id == organization_id).with_for_update()
            if (await ctx.session.execute(still)).one_or_none() is not None and await may_erase(
                ctx.session, organization_id
            ):
                await _erase(ctx, organization_id)
                erased += 1
    return erased


def _due(now: datetime) -> Any:
    closed = select(Organization.id).where(Organization.closed_at <= now - KEPT_FOR, Organization.erased_at.is_(None))
    return closed.order_by(Organization.id)


async def erase_app(ctx: Context, app_id: UUID) -> None:
    """Delete what is held of an app but its row, its name and the ledger: invoices are still made with those. Its
    nodes refuse it as deleted. The caller writes the audit entry."""
    await configuration.touch(ctx.session, app_id)
    for table in (ApiKey, AppSigningKey, Entitlement):
        await ctx.session.execute(delete(table).where(table.app_id == app_id))
    values = {"status": "deleted", "allowed_origins": [], "settings": {}}
    await ctx.session.execute(update(App).where(App.id == app_id).values(values))
    # It has had its time, which an app deleted in the portal only begins: what it left on its shard goes next.
    ended = update(App).where(App.id == app_id, App.deleted_at.is_(None)).values(deleted_at=ctx.now - KEPT_FOR)
    await ctx.session.execute(ended)


async def _erase(ctx: Context, organization_id: UUID) -> None:
    apps = select(App.id).where(App.organization_id == organization_id).order_by(App.id)
    for app_id in (await ctx.session.execute(apps)).scalars().all():
        await erase_app(ctx, app_id)
        await ctx.session.execute(update(App).where(App.id == app_id).values(name=ERASED))
    for belonging in (OwnershipOffer, Invitation, Membership, BillingDetails):
        await ctx.session.execute(delete(belonging).where(belonging.organization_id == organization_id))
    wiped = {"name": ERASED, "owner_email": f"{organization_id}@erased.invalid", "erased_at": ctx.now}
    await ctx.session.execute(update(Organization).where(Organization.id == organization_id).values(wiped))
    await audit.record(ctx, "organization.erased", format_id("org", organization_id), organization_id=organization_id)
