"""Organizations that were opened for an address before its owner had an account (`natter tenant create`)."""

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from control_plane import audit
from control_plane.accounts.models import Account
from control_plane.context import Context
from control_plane.members.models import Membership
from control_plane.organizations.models import Organization
from kernel.ids import format_id


async def claim_organizations(ctx: Context, account: Account) -> int:
    """Make the account owner of organizations that name its address and have no member yet; returns how many.

    The address must be proven. Nothing is written when there is nothing to claim.
    """
    if account.verified_at is None:
        return 0
    unclaimed = select(Organization.id).where(
        Organization.owner_email == account.email,
        ~exists().where(Membership.organization_id == Organization.id),
    )
    found = list((await ctx.session.execute(unclaimed.order_by(Organization.id))).scalars())
    for organization_id in found:
        row = {
            "organization_id": organization_id,
            "account_id": account.id,
            "role": "owner",
            "created_at": ctx.now,
        }
        await ctx.session.execute(insert(Membership).values(row).on_conflict_do_nothing())
        await audit.record(
            ctx, "organization.claimed", format_id("org", organization_id), organization_id=organization_id
        )
    return len(found)
