"""Tenants as they begin, on the newest free plan; and as they end, when nothing more is charged.

What ends a plan is a fact like any other: until then it is charged, and the invoice of that month is still made.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.plans import load_catalog
from billing.terms.facts import ENDED, Agreement, load
from billing.terms.service import settle
from control_plane.apps.models import App
from control_plane.apps.repository import get
from control_plane.apps.service import delete_app
from control_plane.context import Context
from control_plane.members import Member
from control_plane.organizations.closing import close_organization, restore_organization
from control_plane.tenants import NewApp, NewTenant, create_app_with_keys, create_tenant
from kernel.ids import parse_id

_APPS: Final = text(
    """
    select a.id from control.apps a where a.organization_id = :organization and a.status <> 'deleted'
        and exists (select from control.terms t where t.app_id = a.id) order by a.id
    """
)
_LAST_INVOICE: Final = text(
    """
    select not exists (select from control.terms t where t.organization_id = o.id)
        or exists (select from control.billing_months b where b.organization_id = o.id
                   and b.month >= to_char(o.closed_at at time zone 'UTC', 'YYYY-MM'))
    from control.organizations o where o.id = :organization
    """
)


async def open_tenant(
    ctx: Context,
    *,
    email: str,
    organization: str,
    app: str,
    environment: str = "development",
    shard: str | None = None,
    plan: str = "free",
) -> NewTenant:
    """`create_tenant` on the newest version of a plan. Raises `InvalidInput` that names the field."""
    made = await create_tenant(
        ctx,
        email=email,
        organization=organization,
        app=app,
        environment=environment,
        shard=shard,
        plan=load_catalog().newest(plan).grant(),
    )
    await _agree(ctx, await get(ctx.session, parse_id("app", made.app_id)))
    return made


async def open_app(
    ctx: Context, member: Member, *, name: str, environment: str = "development", app_id: UUID | None = None
) -> NewApp:
    """`create_app_with_keys` on the newest free plan."""
    plan = load_catalog().newest("free").grant()
    made = await create_app_with_keys(ctx, member, name=name, environment=environment, plan=plan, app_id=app_id)
    # A form that was sent twice finds the app, with its plan.
    if not await load(ctx.session, made.app.id):
        await _agree(ctx, made.app)
    return made


async def end_app(ctx: Context, app_id: UUID, *, confirm: str | None = None) -> App:
    """`delete_app`, and end its plan for good."""
    app = await delete_app(ctx, app_id, confirm=confirm)
    if await load(ctx.session, app.id):
        await _end(ctx, app.organization_id, app.id, "app deleted")
    return app


async def close_tenant(ctx: Context, member: Member) -> None:
    """`close_organization`, and end the plans of its apps."""
    await close_organization(ctx, member)
    for app_id in await _apps(ctx.session, member):
        await _end(ctx, member.organization_id, app_id, "organization closed")


async def restore_tenant(ctx: Context, member: Member) -> None:
    """`restore_organization`, and let its apps have what was agreed: changes that waited took effect meanwhile."""
    await restore_organization(ctx, member)
    for app_id in await _apps(ctx.session, member):
        await Agreement(ctx, member.organization_id, app_id).state("plan", None, subject=ENDED)
        await settle(ctx.session, app_id, now=ctx.now)


async def last_invoice_made(session: AsyncSession, organization_id: UUID) -> bool:
    """Whether the month in which the organization was closed is done with. Its name and its apps' are on the invoice,
    so that they cannot be erased before."""
    made: bool | None = await session.scalar(_LAST_INVOICE, {"organization": organization_id})
    return made is True


async def _apps(session: AsyncSession, member: Member) -> list[UUID]:
    return list((await session.execute(_APPS, {"organization": member.organization_id})).scalars())


async def _end(ctx: Context, organization_id: UUID, app_id: UUID, because: str) -> None:
    await Agreement(ctx, organization_id, app_id).state("plan", {"because": because}, subject=ENDED)


async def _agree(ctx: Context, app: App) -> None:
    """The plan that the app begins with, as the first fact of its terms."""
    value = {"plan": app.plan, "version": app.plan_version}
    await Agreement(ctx, app.organization_id, app.id).state("plan", value, began_at=app.created_at)
