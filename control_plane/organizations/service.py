"""Open organizations."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from control_plane import audit
from control_plane.context import Context
from control_plane.organizations.models import Organization
from control_plane.validation import check_email, check_name
from kernel.ids import format_id


async def open_organization(ctx: Context, *, email: str, name: str) -> Organization:
    """The owner's organization of that name (letter case aside), made if it is not there.

    Two callers at once get the same one.
    """
    email, name = check_email(email), check_name(name, field="organization")
    row = {"id": ctx.ids.uuid7(), "name": name, "owner_email": email, "created_at": ctx.now}
    statement = insert(Organization).values(row).on_conflict_do_nothing().returning(Organization.id)
    created = (await ctx.session.execute(statement)).scalar_one_or_none()
    # A statement of its own: under READ COMMITTED it sees the row of a caller that won the race.
    organization = (
        await ctx.session.execute(
            select(Organization).where(
                Organization.owner_email == email, func.lower(Organization.name) == func.lower(name)
            )
        )
    ).scalar_one()
    if created is not None:
        await audit.record(
            ctx,
            "organization.created",
            format_id("org", organization.id),
            organization_id=organization.id,
            name=name,
            owner_email=email,
        )
    return organization
