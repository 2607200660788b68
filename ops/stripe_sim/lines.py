"""Invoice lines: a licensed price for a period, usage of one, a proration, an invoice item."""

from decimal import Decimal

from ops.stripe_sim.calendar import interval_around, words
from ops.stripe_sim.meters import usage
from ops.stripe_sim.pricing import charges, cost, part, rounded
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing


def line(
    *,
    amount: int,
    currency: str,
    description: str,
    period: tuple[int, int],
    price: Thing | None,
    quantity: int | None,
    unit_amount: Decimal | None,
    subscription: str | None,
    item: str | None = None,
    invoice_item: str | None = None,
    proration: bool = False,
    discountable: bool = True,
    metadata: dict[str, str] | None = None,
) -> Thing:
    """A line without its id and invoice (`numbered` gives them)."""
    details: Thing = {
        "invoice_item": invoice_item,
        "proration": proration,
        "proration_details": {"credited_items": None},
        "subscription": subscription,
    }
    kind = "invoice_item_details" if item is None else "subscription_item_details"
    if item is not None:
        details["subscription_item"] = item
    return {
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": discountable,
        "discounts": [],
        "livemode": False,
        "metadata": metadata or {},
        "parent": {"invoice_item_details": None, "subscription_item_details": None, "type": kind} | {kind: details},
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": f"{unit_amount:f}" if unit_amount is not None else None,
        }
        if price is not None
        else None,
        "quantity": quantity,
        "quantity_decimal": str(quantity) if quantity is not None else None,
        "subscription": subscription,
        "subtotal": amount,
        "taxes": [],
    }


def numbered(invoice: Thing, found: list[Thing]) -> list[Thing]:
    """The lines with ids that stay the same when a draft is counted again."""
    return [
        {"id": f"il_{invoice['id'][3:17]}{place:05d}", "object": "line_item"} | each | {"invoice": invoice["id"]}
        for place, each in enumerate(found)
    ]


def metered(item: Thing) -> bool:
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def name_of(sim: Sim, price: Thing) -> str:
    # A nickname is for whoever sells, and no customer sees it.
    product = sim.store.get("product", price["product"])
    return str(product["name"] if product else price["nickname"] or price["id"])


def licensed(sim: Sim, subscription: Thing, item: Thing, start: int, end: int, *, free: str = "") -> list[Thing]:
    """A licensed item for a period, in advance. A period shorter than its whole interval costs its part, by seconds.

    `free` says why it costs nothing.
    """
    price = item["price"]
    quantity = item["quantity"]
    begin, until = whole_interval(subscription, item, start)
    result = []
    for charge in charges(price, quantity):
        amount = 0 if free else part(charge.amount, end - start, until - begin)
        name = name_of(sim, price)
        text = f"{charge.quantity:,} × {name}" + (f" ({charge.words})" if charge.words else "")
        result.append(
            line(
                amount=amount,
                currency=price["currency"],
                description=f"{free} for {text}" if free else text,
                period=(start, end),
                price=price,
                quantity=charge.quantity,
                unit_amount=charge.unit_amount,
                subscription=subscription["id"],
                item=item["id"],
                metadata=subscription["metadata"],
            )
        )
    return result


def whole_interval(subscription: Thing, item: Thing, moment: int) -> tuple[int, int]:
    """The whole interval around a moment, by the subscription's anchor."""
    recurring = item["price"]["recurring"]
    anchor = subscription["billing_cycle_anchor"]
    return interval_around(anchor, recurring["interval"], recurring["interval_count"], moment)


def arrears(sim: Sim, invoice: Thing, stretch: Thing) -> list[Thing]:
    """Usage of a metered item: `stretch` has the item's id, its price, subscription, start and end."""
    price = stretch["price"]
    start, end = stretch["start"], stretch["end"]
    quantity = usage(sim, price["recurring"]["meter"], invoice["customer"], start, end)
    name = name_of(sim, price)
    return [
        line(
            amount=charge.amount,
            currency=price["currency"],
            description=f"{charge.quantity:,} × {name}" + (f" ({charge.words})" if charge.words else ""),
            period=(start, end),
            price=price,
            quantity=charge.quantity,
            unit_amount=charge.unit_amount,
            subscription=stretch["subscription"],
            item=stretch["item"],
        )
        for charge in charges(price, quantity)
    ]


def proration(
    sim: Sim, subscription: Thing, item: Thing, price: Thing, quantity: int, moment: int, kept: Decimal, *, credit: bool
) -> Thing:
    """What an invoice item for the rest of the period says: the unused time back, or the remaining time charged."""
    end = item["current_period_end"]
    begin, until = whole_interval(subscription, item, item["current_period_start"])
    amount = part(rounded(cost(price, quantity) * kept), end - moment, until - begin)
    name = name_of(sim, price)
    counted = f"{quantity:,} × {name}" if quantity != 1 else name
    return {
        "amount": -amount if credit else amount,
        "description": f"{'Unused' if credit else 'Remaining'} time on {counted} after {words(moment)}",
        "period": {"start": moment, "end": end},
    }
