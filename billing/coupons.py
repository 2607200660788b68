"""Coupons: taken off an organization's invoices for some months, after credits and before tax."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.plans import Catalog, Coupon, load_catalog
from control_plane import audit
from control_plane.context import Context
from kernel.clock import month_of
from kernel.errors import Conflict, InvalidInput
from kernel.ids import format_id

_REDEEM = text(
    """
    insert into control.coupon_redemptions (organization_id, code, first_month, redeemed_at, redeemed_by)
    values (:organization, :code, :month, :now, :by) on conflict do nothing returning code
    """
)
_REDEEMED = text(
    "select code, first_month, redeemed_at from control.coupon_redemptions "
    "where organization_id = :organization and redeemed_at <= :cut order by redeemed_at, code"
)


class CouponUsed(Conflict):
    """The organization has redeemed it."""

    code = "coupon_used"
    title = "The coupon was redeemed already"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A coupon of an organization, from `first_month` to `last_month`."""

    coupon: Coupon
    first_month: str
    last_month: str

    def covers(self, month: str) -> bool:
        """Whether it counts in a month."""
        return self.first_month <= month <= self.last_month


async def redeem(ctx: Context, organization_id: UUID, code: str) -> Coupon:
    """Redeem a coupon from this month's invoice on. Raises `InvalidInput`, `CouponUsed`."""
    coupon = load_catalog().coupon(code)
    if coupon.until is not None and ctx.now.astimezone(UTC).date() > coupon.until:
        raise InvalidInput("This coupon could be redeemed until " + coupon.until.isoformat() + ".", field="code")
    values = {
        "organization": organization_id,
        "code": coupon.code,
        "month": month_of(ctx.now),
        "now": ctx.now,
        "by": ctx.actor.name,
    }
    if (await ctx.session.execute(_REDEEM, values)).one_or_none() is None:
        raise CouponUsed("Your organization has redeemed this coupon already.")
    target = format_id("org", organization_id)
    await audit.record(ctx, "coupon.redeemed", target, organization_id=organization_id, code=coupon.code)
    return coupon


async def redeemed(
    session: AsyncSession, organization_id: UUID, *, cut: datetime, catalog: Catalog | None = None
) -> list[Redeemed]:
    """What the organization had redeemed by `cut`, in that order."""
    known = catalog or load_catalog()
    rows = await session.execute(_REDEEMED, {"organization": organization_id, "cut": cut})
    found = ((known.coupon(row.code), row.first_month) for row in rows)
    return [Redeemed(coupon, first, _months_on(first, coupon.months - 1)) for coupon, first in found]


def _months_on(month: str, count: int) -> str:
    year, number = int(month[:4]), int(month[5:]) - 1 + count
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"
