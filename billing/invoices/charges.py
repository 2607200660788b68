"""What a month of one app costs, line by line: the one place where prices meet quantities.

The preview, the budget and the invoice all call `charges`; so what is shown is what is billed.

- The plan and add-ons are charged for the time they were in force, each stretch rounded once.
- Usage is measured over the whole month against the terms of its last instant (of the plan's, when that ended
  within it): an upgrade counts for all of the month.
- Usage beyond the limit costs something only if `bill` was in force for its meter at some time in the month. What slips
  through between a limit and the nodes' hearing of it (`stop`, `throttle`) is never charged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from billing.money import overage, prorate
from billing.plans import Catalog
from billing.terms.facts import Fact
from billing.terms.force import InForce, choices_in, in_force
from billing.usage.periods import month_bounds
from control_plane.entitlements import METERS
from kernel.contracts import Meter

LineKind = Literal["plan", "addon", "usage", "adjustment"]
_WORTH_A_LINE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`begin` to before `end` is the time it is for. Of usage: `quantity` in the meter's units, `included` of them free
    (`None`: all), `beyond` charged at `price` for every `per`. `amount` in minor units; an adjustment's may be
    negative."""

    app_id: UUID
    kind: LineKind
    what: str
    begin: datetime
    end: datetime
    amount: int
    meter: Meter | None = None
    quantity: int | None = None
    included: int | None = None
    beyond: int | None = None
    price: int | None = None
    per: int | None = None


def charges(
    app_id: UUID, facts: Sequence[Fact], month: str, quantities: Mapping[str, int], catalog: Catalog
) -> list[Line]:
    """The lines of a month of an app. Empty when nothing was in force."""
    begin, end = month_bounds(month)
    lines = [*_plan_lines(app_id, facts, begin, end, catalog), *_addon_lines(app_id, facts, begin, end, catalog)]
    return [*lines, *usage_lines(app_id, facts, month, quantities, catalog)]


def usage_lines(
    app_id: UUID, facts: Sequence[Fact], month: str, quantities: Mapping[str, int], catalog: Catalog
) -> list[Line]:
    """One for each meter."""
    begin, end = month_bounds(month)
    pieces = stretches(facts, begin, end, catalog)
    if not pieces:
        return []
    # Of a plan that ended within the month: its last instant.
    terms = pieces[-1][2]
    lines = []
    for meter in METERS:
        one, used = terms.meters[meter], quantities.get(meter, 0)
        price = one.overage if "bill" in choices_in(facts, meter, begin, end, catalog) else None
        beyond = max(0, used - one.included) if one.included is not None else 0
        lines.append(
            Line(
                app_id=app_id,
                kind="usage",
                what=meter,
                begin=begin,
                end=end,
                meter=meter,
                quantity=used,
                included=one.included,
                beyond=beyond,
                price=price.price if price else None,
                per=price.per if price else None,
                amount=overage(used, one.included, price.price, price.per) if price else 0,
            )
        )
    return lines


def stretches(
    facts: Sequence[Fact], begin: datetime, end: datetime, catalog: Catalog
) -> list[tuple[datetime, datetime, InForce]]:
    """The time cut where a fact begins, with what is in force in each piece; pieces without terms are left out."""
    moments = sorted({begin, *(fact.began_at for fact in facts if begin < fact.began_at < end)})
    pieces = zip(moments, [*moments[1:], end], strict=True)
    found = ((start, stop, in_force(facts, start, catalog)) for start, stop in pieces)
    return [(start, stop, terms) for start, stop, terms in found if terms is not None]


def _plan_lines(app_id: UUID, facts: Sequence[Fact], begin: datetime, end: datetime, catalog: Catalog) -> list[Line]:
    """A moment on a free plan, as of an app that was just made, is no line."""
    merged: list[tuple[datetime, datetime, str, int]] = []
    for start, stop, terms in stretches(facts, begin, end, catalog):
        what = f"{terms.plan.name} plan, version {terms.plan.version}"
        if terms.trial_ends_at is not None:
            what = f"{terms.plan.name} plan, trial"
        elif terms.price is None:
            what = f"{terms.plan.name} plan, by contract"
        price = terms.price or 0
        if merged and merged[-1][1:] == (start, what, price):
            merged[-1] = (merged[-1][0], stop, what, price)
        else:
            merged.append((start, stop, what, price))
    return [
        Line(
            app_id=app_id,
            kind="plan",
            what=what,
            begin=start,
            end=stop,
            price=price,
            amount=prorate(price, start, stop, (begin, end)),
        )
        for start, stop, what, price in merged
        if price or stop - start >= _WORTH_A_LINE
    ]


def _addon_lines(app_id: UUID, facts: Sequence[Fact], begin: datetime, end: datetime, catalog: Catalog) -> list[Line]:
    merged: dict[str, list[tuple[datetime, datetime, str, int, int]]] = {}
    for start, stop, terms in stretches(facts, begin, end, catalog):
        for held in terms.addons:
            rows = merged.setdefault(held.addon.id, [])
            key = (held.addon.name, held.quantity, held.addon.price)
            if rows and rows[-1][1:] == (start, *key):
                rows[-1] = (rows[-1][0], stop, *key)
            else:
                rows.append((start, stop, *key))
    return [
        Line(
            app_id=app_id,
            kind="addon",
            what=what,
            begin=start,
            end=stop,
            quantity=quantity,
            price=price,
            amount=prorate(price * quantity, start, stop, (begin, end)),
        )
        for rows in merged.values()
        for start, stop, what, quantity, price in rows
    ]
