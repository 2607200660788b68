"""The members of an organization. At least one owner always stays, and owners are made and unmade by owners alone.

Every change locks the organization's row first and then asks again what its author may do: of two owners who demote
each other, the later one is no owner any more.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit
from control_plane.accounts.models import Account
from control_plane.context import Context
from control_plane.members.models import Membership
from control_plane.members.roles import Role, check_role
from control_plane.members.scope import Member
from control_plane.organizations.models import Organization
from control_plane.paging import Page, pattern
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import format_id, parse_id


class LastOwner(Conflict):
    """An organization without owner could not be managed by anybody."""

    code = "last_owner"
    title = "An organization must keep at least one owner"


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member for the list."""

    account_id: UUID
    email: str
    name: str
    role: Role
    since: datetime
    two_step: bool
    """Signs in with a code besides the password."""

    @property
    def public_id(self) -> str:
        """`acc_…`"""
        return format_id("acc", self.account_id)


_COLUMNS: Final = (
    Account.id,
    Account.email,
    Account.name,
    Membership.role,
    Membership.created_at,
    Account.two_step_at,
)


async def list_members(
    session: AsyncSession, member: Member, *, search: str = "", cursor: str | None = None, limit: int = 50
) -> Page[MemberView]:
    """Members by address; `search` is looked for in name and address. Raises `Forbidden`, `InvalidInput`."""
    member.require("members.read")
    query = (
        select(*_COLUMNS)
        .join(Membership, Membership.account_id == Account.id)
        .where(Membership.organization_id == member.organization_id)
        .order_by(Account.email)
        .limit(limit + 1)
    )
    if search.strip():
        wanted = pattern(search)
        query = query.where(or_(Account.email.ilike(wanted, escape="\\"), Account.name.ilike(wanted, escape="\\")))
    if cursor is not None:
        last = select(Account.email).where(Account.id == parse_id("acc", cursor, field="cursor")).scalar_subquery()
        query = query.where(Account.email > last)
    rows = (await session.execute(query)).all()
    members = [_view(row) for row in rows[:limit]]
    return Page(members, members[-1].public_id if len(rows) > limit else None)


async def get_member(session: AsyncSession, member: Member, account_id: UUID) -> MemberView:
    """One member. Raises `Forbidden`, and `NotFound` for who belongs to another organization or to none."""
    member.require("members.read")
    query = select(*_COLUMNS).join(Membership, Membership.account_id == Account.id).where(*_is(member, account_id))
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such member.")
    return _view(row)


async def change_role(ctx: Context, member: Member, account_id: UUID, role: str) -> None:
    """Raises `Forbidden`, `NotFound`, `InvalidInput` and `LastOwner`."""
    wanted = check_role(role)
    member = await lock_organization(ctx.session, member)
    member.require("members.manage")
    before = await _role_of(ctx.session, member, account_id)
    check_may_touch(member, before, wanted)
    if before == wanted:
        return
    await _check_owner_stays(ctx.session, member, before)
    await set_role(ctx, member, account_id, before=before, after=wanted)


async def remove_member(ctx: Context, member: Member, account_id: UUID) -> None:
    """End another's membership. Raises `Forbidden`, `NotFound` and `LastOwner`."""
    member = await lock_organization(ctx.session, member)
    member.require("members.manage")
    before = await _role_of(ctx.session, member, account_id)
    check_may_touch(member, before)
    await _end(ctx, member, account_id, before, "removed")


async def leave(ctx: Context, member: Member) -> None:
    """End one's own membership. Raises `LastOwner`."""
    member = await lock_organization(ctx.session, member)
    await _end(ctx, member, member.account_id, member.role, "left")


async def lock_organization(session: AsyncSession, member: Member) -> Member:
    """Be the only one who changes who belongs to it until the commit; returns the member with its role as it is now.

    Raises `NotFound` for who belongs to it no more.
    """
    lock = select(Organization.id).where(Organization.id == member.organization_id).with_for_update(key_share=True)
    if (await session.execute(lock)).one_or_none() is None:
        raise NotFound()
    # A statement of its own: it sees what the previous holder of the lock has committed.
    role = await session.scalar(select(Membership.role).where(*_is(member, member.account_id)))
    if role is None:
        raise NotFound()
    return dataclasses.replace(member, role=check_role(role))


async def set_role(ctx: Context, member: Member, account_id: UUID, *, before: Role, after: Role) -> None:
    """Write it. The caller holds the organization's lock and has decided that it may be."""
    statement = update(Membership).where(*_is(member, account_id)).values(role=after)
    await ctx.session.execute(statement.execution_options(synchronize_session=False))
    await _audit(ctx, member, account_id, "role_changed", before=before, after=after)


def check_may_touch(member: Member, *roles: Role) -> None:
    """Raises `Forbidden` unless the member may give or take each of these roles."""
    if "owner" in roles and member.role != "owner":
        raise Forbidden(
            f"Only an owner of {member.organization_name} may make, change or remove owners.", role=member.role
        )


def _view(row: Row[*tuple[Any, ...]]) -> MemberView:
    account_id, email, name, role, since, two_step_at = row
    return MemberView(account_id, email, name, check_role(role), since, two_step_at is not None)


async def _end(ctx: Context, member: Member, account_id: UUID, role: Role, verb: str) -> None:
    await _check_owner_stays(ctx.session, member, role)
    statement = delete(Membership).where(*_is(member, account_id))
    await ctx.session.execute(statement.execution_options(synchronize_session=False))
    await _audit(ctx, member, account_id, verb, role=role)


async def _role_of(session: AsyncSession, member: Member, account_id: UUID) -> Role:
    role = await session.scalar(select(Membership.role).where(*_is(member, account_id)))
    if role is None:
        raise NotFound("There is no such member.")
    return check_role(role)


async def _check_owner_stays(session: AsyncSession, member: Member, lost: Role) -> None:
    if lost != "owner":
        return
    owners = select(func.count()).where(
        Membership.organization_id == member.organization_id, Membership.role == "owner"
    )
    if (await session.execute(owners)).scalar_one() < 2:
        raise LastOwner("This is the only owner. Make another member an owner first.")


def _is(member: Member, account_id: UUID) -> tuple[Any, Any]:
    return Membership.organization_id == member.organization_id, Membership.account_id == account_id


async def _audit(ctx: Context, member: Member, account_id: UUID, verb: str, **data: object) -> None:
    await audit.record(
        ctx, f"member.{verb}", format_id("acc", account_id), organization_id=member.organization_id, app_id=None, **data
    )
