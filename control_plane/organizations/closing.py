"""Close an organization, and open it again within 30 days.

While it is closed, nodes get its apps as suspended: keys are refused, sockets closed, the data stays. Its pages are
gone but for its owners, who may download what is held or restore it. Then `organizations.erasure` has its turn.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update

from control_plane import audit, configuration, mail
from control_plane.accounts.models import Account
from control_plane.apps.models import App
from control_plane.context import Context
from control_plane.mail.letters import OrganizationChange
from control_plane.members.models import Membership
from control_plane.members.scope import Member
from control_plane.members.service import lock_organization
from control_plane.organizations.models import Organization
from kernel.errors import Conflict, NotFound

KEPT_FOR: Final = timedelta(days=30)


def erased_from(closed_at: datetime) -> datetime:
    """When what was closed then is erased."""
    return closed_at + KEPT_FOR


async def close_organization(ctx: Context, member: Member) -> None:
    """Close it from now on, tell every owner by mail. Raises `Forbidden`, `Conflict` when it is closed already."""
    member = await _lock(ctx, member)
    if await _closed_at(ctx, member) is not None:
        raise Conflict("The organization is closed already.")
    await _set(ctx, member, ctx.now)
    await _tell(ctx, member, "closed", until=erased_from(ctx.now))


async def restore_organization(ctx: Context, member: Member) -> None:
    """Open it again, tell every owner by mail. Raises `Forbidden`, `Conflict` when it is open, and `NotFound` when the
    30 days are over: then it may be erased at any moment."""
    member = await _lock(ctx, member)
    closed_at = await _closed_at(ctx, member)
    if closed_at is None:
        raise Conflict("The organization is open.")
    if erased_from(closed_at) <= ctx.now:
        raise NotFound()
    await _set(ctx, member, None)
    await _tell(ctx, member, "restored")


async def _lock(ctx: Context, member: Member) -> Member:
    # Nodes will hear of it, so the configuration's lock comes before any other.
    await configuration.advance(ctx.session)
    member = await lock_organization(ctx.session, member)
    member.require("organization.own")
    return member


async def _closed_at(ctx: Context, member: Member) -> datetime | None:
    query = select(Organization.closed_at).where(Organization.id == member.organization_id)
    return (await ctx.session.execute(query)).scalar_one()


async def _set(ctx: Context, member: Member, closed_at: datetime | None) -> None:
    closed_by = member.account_id if closed_at is not None else None
    statement = update(Organization).where(Organization.id == member.organization_id)
    statement = statement.values(closed_at=closed_at, closed_by=closed_by)
    await ctx.session.execute(statement.execution_options(synchronize_session=False))
    apps = select(App.id).where(App.organization_id == member.organization_id, App.status != "deleted").order_by(App.id)
    for app_id in (await ctx.session.execute(apps)).scalars().all():
        await configuration.touch(ctx.session, app_id)


async def _tell(ctx: Context, member: Member, change: OrganizationChange, *, until: datetime | None = None) -> None:
    owners = (
        select(Account.email)
        .join(Membership, Membership.account_id == Account.id)
        .where(Membership.organization_id == member.organization_id, Membership.role == "owner")
        .order_by(Account.email)
    )
    for email in (await ctx.session.execute(owners)).scalars().all():
        letter = mail.organization_notice(
            ctx.settings,
            to=email,
            change=change,
            organization=member.organization_name,
            organization_id=member.public_organization_id,
            by=member.name,
            at=ctx.now,
            until=until,
        )
        mail.post(ctx, letter)
    await audit.record(
        ctx, f"organization.{change}", member.public_organization_id, organization_id=member.organization_id
    )
