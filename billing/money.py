"""Amounts of money: whole numbers of a currency's minor unit (cents, or whole yen). Never a float."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

# ISO 4217: currencies whose minor unit is not a hundredth.
_ZERO: Final = frozenset(
    (
        "bif", "clp", "djf", "gnf", "isk", "jpy", "kmf", "krw", "pyg", "rwf", "ugx", "uyi", "vnd", "vuv", "xaf",
        "xof", "xpf",
    )
)  # fmt: skip
_THREE: Final = frozenset(("bhd", "iqd", "jod", "kwd", "lyd", "omr", "tnd"))
_MICROSECOND: Final = timedelta(microseconds=1)


def decimals(currency: str) -> int:
    """Digits after the point: 2 for usd, 0 for jpy, 3 for kwd."""
    return 0 if currency in _ZERO else 3 if currency in _THREE else 2


def amount_text(minor: int, currency: str) -> str:
    """`1,204.50 USD`, `-3 JPY`: exact, whatever the currency."""
    digits = decimals(currency)
    whole, rest = divmod(abs(minor), 10**digits)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole:,}{f'.{rest:0{digits}d}' if digits else ''} {currency.upper()}"


def parse_amount(text: str, currency: str) -> int | None:
    """What a person typed, `1,204.50`, in minor units; `None` for what is no amount or has too many digits."""
    digits = decimals(currency)
    whole, point, rest = text.strip().replace(",", "").partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(whole) > 12:
        return None
    if point and not (rest.isascii() and rest.isdigit() and len(rest) <= digits):
        return None
    return int(whole + rest.ljust(digits, "0"))


def round_half_up(numerator: int, denominator: int) -> int:
    """The nearest whole number to a fraction that is not negative; a half goes up."""
    return (2 * numerator + denominator) // (2 * denominator)


def prorate(price: int, begin: datetime, end: datetime, period: tuple[datetime, datetime]) -> int:
    """The part of a period's price for `begin` to `end` of it, to the microsecond, rounded once.

    Splitting a stretch in two changes the sum by one minor unit at most; the whole period costs the whole price.
    """
    whole = (period[1] - period[0]) // _MICROSECOND
    # Two times of one zone are subtracted by the clock on its walls, which daylight saving moves.
    start, stop = begin.astimezone(UTC), end.astimezone(UTC)
    part = max(0, (min(stop, period[1]) - max(start, period[0])) // _MICROSECOND)
    return round_half_up(price * part, whole)


def overage(quantity: int, included: int | None, price: int, per: int) -> int:
    """`price` for every `per` units beyond what is included, or part of them. Nothing beyond an open end."""
    if included is None or quantity <= included:
        return 0
    return -(-(quantity - included) // per) * price


def percentage(amount: int, basis_points: int) -> int:
    """Hundredths of a per cent of an amount that is not negative; a half goes up."""
    return round_half_up(amount * basis_points, 10_000)


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle` came to. `net` is before tax, `total` what is due."""

    credits: tuple[int, ...]
    discounts: tuple[int, ...]
    net: int
    tax: int
    total: int


def settle(subtotal: int, credits: Sequence[int], coupons: Sequence[tuple[int, int]], tax: int) -> Settled:
    """From the sum of the lines to what is due. The order is fixed: credits, then coupons, then tax.

    `credits` are the balances to draw on, in their order. `coupons` are (basis points, minor units), of which one is 0.
    `tax` is in basis points of what is left. Nothing goes below zero.
    """
    left = max(0, subtotal)
    used: list[int] = []
    for balance in credits:
        take = min(left, balance)
        used.append(take)
        left -= take
    discounts: list[int] = []
    for basis_points, fixed in coupons:
        take = min(left, percentage(left, basis_points) + fixed)
        discounts.append(take)
        left -= take
    owed = percentage(left, tax)
    return Settled(tuple(used), tuple(discounts), left, owed, left + owed)
