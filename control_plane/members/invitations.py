"""Invitations: a link for one address. Whoever accepts is signed in with an account of that very address."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit, mail
from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.models import Account
from control_plane.accounts.person import Person
from control_plane.context import Context, Deps
from control_plane.members.models import Invitation, Membership
from control_plane.members.roles import Role, check_role
from control_plane.members.scope import Member
from control_plane.members.service import check_may_touch, lock_organization
from control_plane.organizations.models import Organization
from control_plane.validation import check_email
from kernel.errors import Conflict, Forbidden, NotFound, RateLimited
from kernel.ids import format_id
from kernel.security import keys
from kernel.security.vault import Vault

LIFETIME: Final = timedelta(days=7)
_MOST_A_DAY: Final = 200
_MOST_A_DAY_TO_ONE: Final = 5
"""An invitation is a mail to whomever its author names, so an organization may not send any number."""


@dataclass(frozen=True, slots=True)
class InvitationView:
    """An open invitation for the list. `invited_by` is a name, or `None` for who is no member any more."""

    id: UUID
    email: str
    role: Role
    invited_by: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def public_id(self) -> str:
        """`inv_…`"""
        return format_id("inv", self.id)


@dataclass(frozen=True, slots=True)
class InvitationOffer:
    """What the page behind a link shows."""

    organization_name: str
    email: str
    role: Role
    invited_by: str


async def list_invitations(session: AsyncSession, member: Member, *, now: datetime) -> list[InvitationView]:
    """Those that can still be accepted, the newest first. Raises `Forbidden`."""
    member.require("members.read")
    return await _views(session, member, *_open(now))


async def invite(
    ctx: Context, member: Member, *, email: str, role: str, invitation_id: UUID | None = None
) -> InvitationView:
    """Mail a link that makes its reader a member. For an address that is invited already: a new link, the old one ends.

    With an id that was used before: that invitation, unchanged. Raises `Forbidden`, `InvalidInput`, `RateLimited`, and
    `Conflict` with `field` for who is a member.
    """
    email, wanted = check_email(email), check_role(role)
    member = await lock_organization(ctx.session, member)
    member.require("members.manage")
    check_may_touch(member, wanted)
    if invitation_id is not None and (found := await _views(ctx.session, member, Invitation.id == invitation_id)):
        return found[0]
    await _check_may_be_sent(ctx, member, email)
    replaced = (
        update(Invitation)
        .where(*_of(member), Invitation.email == email, Invitation.accepted_at.is_(None))
        .where(Invitation.revoked_at.is_(None))
        .values(revoked_at=ctx.now)
    )
    await ctx.session.execute(replaced.execution_options(synchronize_session=False))
    token = secrets.token_urlsafe(32)
    row = Invitation(
        id=invitation_id or ctx.ids.uuid7(),
        organization_id=member.organization_id,
        email=email,
        role=wanted,
        digest=_digest(ctx.vault, token),
        invited_by=member.account_id,
        created_at=ctx.now,
        expires_at=ctx.now + LIFETIME,
    )
    ctx.session.add(row)
    letter = mail.invitation(
        ctx.settings, to=email, token=token, organization=member.organization_name, inviter=member.name, role=wanted
    )
    mail.post(ctx, letter)
    await _audit(ctx, row.id, member.organization_id, "created", email=email, role=wanted)
    return InvitationView(row.id, email, wanted, member.name, row.created_at, row.expires_at)


async def revoke_invitation(ctx: Context, member: Member, invitation_id: UUID) -> None:
    """Its link ends. Raises `Forbidden`, and `NotFound` for one that is not open."""
    member = await lock_organization(ctx.session, member)
    member.require("members.manage")
    found = await _views(ctx.session, member, Invitation.id == invitation_id, *_open(ctx.now))
    if not found:
        raise NotFound("There is no such open invitation.")
    check_may_touch(member, found[0].role)
    # Asked again: who accepts holds no lock of the organization.
    statement = update(Invitation).where(*_of(member), Invitation.id == invitation_id, Invitation.accepted_at.is_(None))
    statement = statement.values(revoked_at=ctx.now).execution_options(synchronize_session=False)
    if (await ctx.session.execute(statement.returning(Invitation.id))).one_or_none() is None:
        raise NotFound("There is no such open invitation.")
    await _audit(ctx, invitation_id, member.organization_id, "revoked", email=found[0].email)


async def look_up_invitation(deps: Deps, token: str) -> InvitationOffer:
    """What a link offers. Raises `LinkInvalid`."""
    query = (
        select(Organization.name, Invitation.email, Invitation.role, Account.name)
        .join(Organization, Organization.id == Invitation.organization_id)
        .join(Account, Account.id == Invitation.invited_by)
        .where(Invitation.digest == _digest(deps.vault, token), *_open(deps.clock.now()))
        .where(Organization.closed_at.is_(None))
    )
    async with deps.database.unit_of_work(read_only=True) as uow:
        row = (await uow.session.execute(query)).one_or_none()
    if row is None:
        raise LinkInvalid()
    organization, email, role, inviter = row
    return InvitationOffer(organization, email, check_role(role), inviter)


async def accept_invitation(ctx: Context, person: Person, token: str) -> UUID:
    """Make the person a member and use the link up; returns the organization's id. Who is a member stays what he is.

    It runs under the system's role: before it, the person is in no scope. Raises `LinkInvalid`, and `Forbidden` for
    another address than the invited one.
    """
    query = (
        select(Invitation)
        .join(Organization, Organization.id == Invitation.organization_id)
        .where(Invitation.digest == _digest(ctx.vault, token), *_open(ctx.now))
        .where(Organization.closed_at.is_(None))
    )
    invitation = (await ctx.session.execute(query.with_for_update(of=Invitation))).scalar_one_or_none()
    if invitation is None:
        raise LinkInvalid()
    if invitation.email != person.email:
        raise Forbidden("This invitation is for another address. Sign in with the address that it was mailed to.")
    invitation.accepted_at = ctx.now
    row = {
        "organization_id": invitation.organization_id,
        "account_id": person.account_id,
        "role": invitation.role,
        "created_at": ctx.now,
    }
    await ctx.session.execute(insert(Membership).values(row).on_conflict_do_nothing())
    await _audit(ctx, invitation.id, invitation.organization_id, "accepted", role=invitation.role)
    return invitation.organization_id


async def _views(session: AsyncSession, member: Member, *conditions: Any) -> list[InvitationView]:
    query = (
        select(
            Invitation.id,
            Invitation.email,
            Invitation.role,
            Account.name,
            Invitation.created_at,
            Invitation.expires_at,
        )
        .join(Account, Account.id == Invitation.invited_by, isouter=True)
        .where(*_of(member), *conditions)
        .order_by(Invitation.id.desc())
    )
    return [
        InvitationView(invitation_id, email, check_role(role), name, created_at, expires_at)
        for invitation_id, email, role, name, created_at, expires_at in await session.execute(query)
    ]


async def _check_may_be_sent(ctx: Context, member: Member, email: str) -> None:
    there = select(Account.id).join(Membership, Membership.account_id == Account.id)
    there = there.where(Membership.organization_id == member.organization_id, Account.email == email)
    if (await ctx.session.execute(there)).one_or_none() is not None:
        raise Conflict("This person is a member already.", field="email")
    since = select(func.count(), func.count().filter(Invitation.email == email))
    since = since.where(*_of(member), Invitation.created_at > ctx.now - timedelta(days=1))
    total, to_one = (await ctx.session.execute(since)).one()
    if total >= _MOST_A_DAY or to_one >= _MOST_A_DAY_TO_ONE:
        raise RateLimited(
            "Too many invitations were sent in the last 24 hours. Try again tomorrow.", retry_after=24 * 3600
        )


def _open(now: datetime) -> tuple[Any, ...]:
    return Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > now


def _of(member: Member) -> tuple[Any, ...]:
    return (Invitation.organization_id == member.organization_id,)


def _digest(vault: Vault, token: str) -> str:
    return keys.digest(vault.key("invitations"), token if token.isascii() else "")


async def _audit(ctx: Context, invitation_id: UUID, organization_id: UUID, verb: str, **data: object) -> None:
    await audit.record(
        ctx, f"invitation.{verb}", format_id("inv", invitation_id), organization_id=organization_id, app_id=None, **data
    )
