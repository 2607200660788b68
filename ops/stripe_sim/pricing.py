"""What a quantity costs at a price, and a part of it. Amounts are in the currency's minor unit."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Price = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Charge:
    """One line: this many units, for this much. `words` says which tier."""

    quantity: int
    amount: int
    unit_amount: Decimal | None
    words: str = ""


def rounded(amount: Decimal) -> int:
    """To whole minor units, halves away from zero, so that a credit mirrors its charge."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def charges(price: Price, quantity: int) -> list[Charge]:
    """The lines of a quantity (≥ 0): one, or with graduated tiers one for each tier that is reached."""
    if price["billing_scheme"] == "per_unit":
        unit = Decimal(price["unit_amount_decimal"])
        units = quantity
        if package := price["transform_quantity"]:
            units, rest = divmod(quantity, package["divide_by"])
            units += bool(rest and package["round"] == "up")
        return [Charge(quantity, rounded(unit * units), unit)]
    if price["tiers_mode"] == "volume":
        tier = next(tier for tier in price["_tiers"] if tier["up_to"] is None or quantity <= tier["up_to"])
        return [_of_tier(tier, quantity, "")]
    lines: list[Charge] = []
    below = 0
    for tier in price["_tiers"]:
        top = tier["up_to"]
        within = (quantity if top is None else min(quantity, top)) - below
        if within <= 0 and lines:
            break
        words = f"first {top:,}" if below == 0 and top is not None else f"{below + 1:,} and above"
        if below and top is not None:
            words = f"next {top - below:,}"
        lines.append(_of_tier(tier, max(within, 0), words))
        below = top if top is not None else quantity
    return lines


def _of_tier(tier: dict[str, Any], quantity: int, words: str) -> Charge:
    unit, flat = Decimal(tier["unit_amount_decimal"] or 0), Decimal(tier["flat_amount_decimal"] or 0)
    return Charge(quantity, rounded(unit * quantity + (flat if quantity else 0)), unit, words)


def cost(price: Price, quantity: int) -> int:
    return sum(charge.amount for charge in charges(price, quantity))


def part(amount: int | Decimal, seconds: int, of: int) -> int:
    """The share of an amount for some seconds of a whole interval."""
    return rounded(Decimal(amount) * seconds / of)
