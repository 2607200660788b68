"""Discounts: a coupon that a subscription or an invoice has, and what it takes off its lines."""

from decimal import Decimal

from ops.stripe_sim.calendar import boundary
from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import text
from ops.stripe_sim.pricing import rounded
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing

DISCOUNTS = [{"coupon": text, "promotion_code": text, "discount": text}]


def coupon_of(sim: Sim, given: Thing) -> tuple[Thing, Thing | None]:
    """The coupon that is named, itself or by a promotion code, when it may be used now."""
    promotion = None
    if given.get("promotion_code"):
        promotion = sim.need("promotion_code", given["promotion_code"], "promotion_code")
        if not promotion["active"] or (promotion["expires_at"] or sim.now() + 1) <= sim.now():
            raise invalid("This promotion code cannot be redeemed.", param="promotion_code")
        if (most := promotion["max_redemptions"]) is not None and promotion["times_redeemed"] >= most:
            raise invalid("This promotion code has been redeemed as often as it may.", param="promotion_code")
    identity = promotion["promotion"]["coupon"] if promotion else given.get("coupon") or ""
    coupon = sim.need("coupon", identity, "coupon")
    most = coupon["max_redemptions"]
    if (coupon["redeem_by"] or sim.now() + 1) <= sim.now() or (most is not None and coupon["times_redeemed"] >= most):
        coupon["valid"] = False
        raise invalid(f"Coupon {identity} is expired and cannot be applied.", code="coupon_expired", param="coupon")
    return coupon, promotion


def redeem(sim: Sim, given: list[Thing], customer: Thing, subscription: str | None) -> list[str]:
    """Make discounts of coupons; ids of those that were there already stay. Returns their ids."""
    result = []
    for each in given:
        if each.get("discount"):
            result.append(sim.need("discount", each["discount"], "discount")["id"])
            continue
        coupon, promotion = coupon_of(sim, each)
        now = sim.now_of(customer["id"])
        coupon["times_redeemed"] += 1
        if promotion is not None:
            promotion["times_redeemed"] += 1
        months = coupon["duration_in_months"]
        discount = sim.store.add(
            {
                "id": sim.store.new_id("di"),
                "object": "discount",
                "checkout_session": None,
                "customer": customer["id"],
                "customer_account": None,
                "end": boundary(now, "month", 1, months) if months else None,
                "invoice": None,
                "invoice_item": None,
                "promotion_code": promotion["id"] if promotion else None,
                "source": {"coupon": coupon["id"], "type": "coupon"},
                "start": now,
                "subscription": subscription,
                "subscription_item": None,
            }
        )
        sim.emit("customer.discount.created", discount)
        result.append(discount["id"])
    return result


def applied(sim: Sim, discounts: list[str], lines: list[Thing]) -> dict[str, int]:
    """What each discount takes off, in order, each from what the ones before left; lines get their share."""
    for line in lines:
        line["discount_amounts"] = []
    totals: dict[str, int] = {}
    for identity in discounts:
        discount = sim.need("discount", identity)
        coupon = sim.need("coupon", discount["source"]["coupon"])
        over = [line for line in lines if line["discountable"] and line["amount"] > 0 and _covers(coupon, line)]
        left = [line["amount"] - sum(each["amount"] for each in line["discount_amounts"]) for line in over]
        if coupon["percent_off"] is not None:
            percent = Decimal(str(coupon["percent_off"]))
            shares = [rounded(amount * percent / 100) for amount in left]
        else:
            shares = _split(min(coupon["amount_off"], sum(left)), left)
        for line, share in zip(over, shares, strict=True):
            line["discount_amounts"].append({"amount": share, "discount": identity})
        totals[identity] = sum(shares)
    for line in lines:
        line["pretax_credit_amounts"] = [each | {"type": "discount"} for each in line["discount_amounts"]]
    return totals


def _covers(coupon: Thing, line: Thing) -> bool:
    products = coupon.get("_products")
    return not products or line["pricing"]["price_details"]["product"] in products


def _split(amount: int, over: list[int]) -> list[int]:
    """Shares in proportion that sum to the amount: each place gets what rounding the running total gives it."""
    whole, shares, seen, given = sum(over), [], 0, 0
    for each in over:
        seen += each
        upto = rounded(Decimal(amount) * seen / whole) if whole else 0
        shares.append(upto - given)
        given = upto
    return shares


def percent_kept(sim: Sim, discounts: list[str]) -> Decimal:
    """The part of a price that percent coupons leave, for prorations: 1 without any."""
    kept = Decimal(1)
    for identity in discounts:
        coupon = sim.need("coupon", sim.need("discount", identity)["source"]["coupon"])
        if coupon["percent_off"] is not None:
            kept *= 1 - Decimal(str(coupon["percent_off"])) / 100
    return kept


def count_once(sim: Sim, invoice: Thing) -> None:
    """After an invoice was finalized: discounts for one invoice leave the subscription, those that ended too."""
    subscription = sim.store.get("subscription", invoice["_subscription"]) if invoice["_subscription"] else None
    if subscription is None:
        return
    used = {each["discount"] for each in invoice["total_discount_amounts"] if each["amount"]}
    drop_ended(sim, subscription, used)


def drop_ended(sim: Sim, subscription: Thing, used: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    now = sim.now_of(subscription["customer"])
    for identity in list(subscription["discounts"]):
        discount = sim.need("discount", identity)
        coupon = sim.need("coupon", discount["source"]["coupon"])
        if (discount["end"] or now + 1) <= now or (coupon["duration"] == "once" and identity in used):
            subscription["discounts"].remove(identity)
            sim.emit("customer.discount.deleted", discount)
            sim.emit("customer.subscription.updated", subscription)
