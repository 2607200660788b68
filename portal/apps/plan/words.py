"""Plans in words."""

from collections.abc import Sequence
from datetime import datetime

from billing.money import amount_text
from billing.plans import Catalog, MeterTerms, Plan, load_catalog
from billing.terms import Fact
from control_plane.entitlements import METERS
from kernel.contracts import Meter
from portal.apps.usage.units import amount

_BEYOND = {
    "stop": "Refused beyond it",
    "throttle": "Slower beyond it",
}


def price_words(plan: Plan, currency: str) -> str:
    """`99.00 USD a month`."""
    if plan.price is None:
        return "By contract"
    return "Free" if not plan.price else f"{amount_text(plan.price, currency)} a month"


def terms_words(terms: MeterTerms, meter: Meter) -> tuple[str, str]:
    """What is included, and what happens beyond it."""
    if terms.included is None:
        return "No limit", "–"
    included = amount(meter, terms.included)
    if terms.over != "bill" or terms.overage is None:
        return included, _BEYOND.get(terms.over, "Billed")
    price = amount_text(terms.overage.price, load_catalog().currency)
    each = amount(meter, terms.overage.per) if terms.overage.per > 1 else amount(meter, 1).removeprefix("1 ")
    return included, f"{price} for every {each}"


def included_words(plan: Plan) -> list[str]:
    """What a plan includes, a line for each meter."""
    if all(plan.terms(meter).included is None for meter in METERS):
        return ["Limits as agreed", "Rates as agreed"]
    return [terms_words(plan.terms(meter), meter)[0] for meter in METERS]


def waiting(facts: Sequence[Fact], now: datetime, catalog: Catalog) -> list[tuple[str, datetime]]:
    """What changes by itself, and when: `("Starter", 1 February)`."""
    found = []
    for fact in facts:
        if fact.began_at <= now:
            continue
        if fact.kind == "plan":
            found.append((catalog.get(fact.value["plan"], fact.value["version"]).name + " plan", fact.began_at))
        elif fact.kind == "addon":
            addon = catalog.addon(fact.subject)
            found.append((f"{fact.value['quantity'] if fact.value else 0} × {addon.name}", fact.began_at))
    return found
