"""Open organizations, rename them."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from control_plane import audit
from control_plane.accounts.models import Account
from control_plane.accounts.person import Person
from control_plane.context import Context
from control_plane.members.models import Membership
from control_plane.members.scope import Member, member_of
from control_plane.organizations.models import Organization
from control_plane.validation import check_email, check_name
from kernel.errors import Conflict, NotFound
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


async def create_organization(
    ctx: Context, person: Person, *, name: str, organization_id: UUID | None = None
) -> Member:
    """An organization that the person owns. With an id that the person has used before: that one, unchanged.

    Raises `InvalidInput`, and `Conflict` when the person has another of that name; both name the field.
    """
    name = check_name(name, field="organization")
    wanted = organization_id or ctx.ids.uuid7()
    row = {"id": wanted, "name": name, "owner_email": person.email, "created_at": ctx.now}
    statement = insert(Organization).values(row).on_conflict_do_nothing().returning(Organization.id)
    if (await ctx.session.execute(statement)).one_or_none() is None:
        try:
            return await member_of(ctx.session, person.account_id, wanted)
        except NotFound:
            raise Conflict("You have an organization of this name already.", field="organization") from None
    ctx.session.add(Membership(organization_id=wanted, account_id=person.account_id, role="owner", created_at=ctx.now))
    await audit.record(
        ctx,
        "organization.created",
        format_id("org", wanted),
        organization_id=wanted,
        name=name,
        owner_email=person.email,
    )
    return await member_of(ctx.session, person.account_id, wanted)


async def require_two_step(ctx: Context, member: Member, required: bool) -> None:
    """Whether the organization's pages are for who signs in with two steps alone.

    Raises `Forbidden`, and `Conflict` for who would lock himself out by it.
    """
    member.require("organization.update")
    two_step_at = await ctx.session.scalar(select(Account.two_step_at).where(Account.id == member.account_id))
    if required and two_step_at is None:
        raise Conflict("Turn on two-step sign-in for yourself first.")
    statement = update(Organization).where(Organization.id == member.organization_id)
    await ctx.session.execute(statement.values(two_step_required=required).execution_options(synchronize_session=False))
    await audit.record(
        ctx,
        "organization.two_step_rule_changed",
        member.public_organization_id,
        organization_id=member.organization_id,
        before=member.two_step_required,
        after=required,
    )


async def rename_organization(ctx: Context, member: Member, name: str) -> None:
    """Raises `Forbidden`, `InvalidInput`, and `Conflict` when its owner has another of that name."""
    member.require("organization.update")
    name = check_name(name, field="organization")
    statement = update(Organization).where(Organization.id == member.organization_id).values(name=name)
    try:
        async with ctx.session.begin_nested():
            await ctx.session.execute(statement.execution_options(synchronize_session=False))
    except IntegrityError:
        raise Conflict("There is an organization of this name already.", field="organization") from None
    await audit.record(
        ctx,
        "organization.renamed",
        member.public_organization_id,
        organization_id=member.organization_id,
        before=member.organization_name,
        after=name,
    )
