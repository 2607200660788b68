"""Hand an organization over: its owner offers, the other accepts, and both prove who they are on the way.

Whoever accepts becomes owner and whoever offered becomes admin, in one step, so that there is an owner at any time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from control_plane import audit, mail
from control_plane.accounts.models import Account
from control_plane.context import Context
from control_plane.members.models import Membership
from control_plane.members.scope import Member
from control_plane.members.service import get_member, lock_organization, set_role
from control_plane.organizations.models import OwnershipOffer
from kernel.errors import Conflict, NotFound
from kernel.ids import format_id

LIFETIME: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class OfferView:
    """An open offer."""

    id: UUID
    offered_by: UUID
    offered_by_name: str
    offered_to: UUID
    offered_to_name: str
    expires_at: datetime


async def open_offer(session: AsyncSession, member: Member, *, now: datetime) -> OfferView | None:
    """The organization's open offer, as far as it concerns the member: owners see it, and who is to accept it."""
    by, to = aliased(Account), aliased(Account)
    query = (
        select(
            OwnershipOffer.id,
            OwnershipOffer.offered_by,
            by.name,
            OwnershipOffer.offered_to,
            to.name,
            OwnershipOffer.expires_at,
        )
        .join(by, by.id == OwnershipOffer.offered_by)
        .join(to, to.id == OwnershipOffer.offered_to)
        .where(*_open(member, now))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return None
    offer = OfferView(*row)
    return offer if member.role == "owner" or offer.offered_to == member.account_id else None


async def offer_ownership(ctx: Context, member: Member, account_id: UUID) -> OfferView:
    """Offer the organization to a member, by mail too, for 7 days; an offer before ends.

    Raises `Forbidden`, `NotFound` for who is no member, and `Conflict` for who is an owner already.
    """
    member = await lock_organization(ctx.session, member)
    member.require("organization.own")
    other = await get_member(ctx.session, member, account_id)
    if other.role == "owner":
        raise Conflict(f"{other.name} is an owner already.", field="member")
    await ctx.session.execute(
        update(OwnershipOffer)
        .where(OwnershipOffer.organization_id == member.organization_id)
        .where(OwnershipOffer.accepted_at.is_(None), OwnershipOffer.ended_at.is_(None))
        .values(ended_at=ctx.now)
        .execution_options(synchronize_session=False)
    )
    row = OwnershipOffer(
        id=ctx.ids.uuid7(),
        organization_id=member.organization_id,
        offered_by=member.account_id,
        offered_to=account_id,
        created_at=ctx.now,
        expires_at=ctx.now + LIFETIME,
    )
    ctx.session.add(row)
    letter = mail.ownership_offered(
        ctx.settings,
        to=other.email,
        organization=member.organization_name,
        organization_id=member.public_organization_id,
        offered_by=member.name,
    )
    mail.post(ctx, letter)
    await _audit(ctx, member, "ownership_offered", account_id)
    return OfferView(row.id, member.account_id, member.name, account_id, other.name, row.expires_at)


async def accept_ownership(ctx: Context, member: Member) -> None:
    """Become the owner; who offered becomes admin. Raises `NotFound` when nothing is offered to the member, or by
    somebody who is no owner any more."""
    member = await lock_organization(ctx.session, member)
    offer = await open_offer(ctx.session, member, now=ctx.now)
    if offer is None or offer.offered_to != member.account_id:
        raise NotFound("There is no open offer to you.")
    role = await ctx.session.scalar(
        select(Membership.role).where(
            Membership.organization_id == member.organization_id, Membership.account_id == offer.offered_by
        )
    )
    if role != "owner":
        raise NotFound("Who made the offer is no owner any more.")
    await _end(ctx, offer, accepted=True)
    await set_role(ctx, member, member.account_id, before=member.role, after="owner")
    await set_role(ctx, member, offer.offered_by, before="owner", after="admin")
    for account_id in (offer.offered_by, offer.offered_to):
        person = await get_member(ctx.session, member, account_id)
        letter = mail.organization_notice(
            ctx.settings,
            to=person.email,
            change="transferred",
            organization=member.organization_name,
            organization_id=member.public_organization_id,
            by=member.name,
            at=ctx.now,
        )
        mail.post(ctx, letter)
    await _audit(ctx, member, "ownership_accepted", offer.offered_by)


async def end_offer(ctx: Context, member: Member) -> None:
    """Take an offer back, or decline it. Raises `NotFound` where none is open that concerns the member."""
    member = await lock_organization(ctx.session, member)
    offer = await open_offer(ctx.session, member, now=ctx.now)
    if offer is None:
        raise NotFound("There is no open offer.")
    await _end(ctx, offer, accepted=False)
    await _audit(ctx, member, "ownership_offer_ended", offer.offered_to)


async def _end(ctx: Context, offer: OfferView, *, accepted: bool) -> None:
    values: dict[str, Any] = {"accepted_at" if accepted else "ended_at": ctx.now}
    statement = update(OwnershipOffer).where(OwnershipOffer.id == offer.id).values(values)
    await ctx.session.execute(statement.execution_options(synchronize_session=False))


def _open(member: Member, now: datetime) -> tuple[Any, ...]:
    return (
        OwnershipOffer.organization_id == member.organization_id,
        OwnershipOffer.accepted_at.is_(None),
        OwnershipOffer.ended_at.is_(None),
        OwnershipOffer.expires_at > now,
    )


async def _audit(ctx: Context, member: Member, verb: str, account_id: UUID) -> None:
    await audit.record(
        ctx, f"organization.{verb}", format_id("acc", account_id), organization_id=member.organization_id, app_id=None
    )
