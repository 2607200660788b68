"""What is in force for an app at a moment: its plan with everything over it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from billing.plans import AddOn, Catalog, MeterTerms, Overage, Plan
from billing.terms.facts import ENDED, Fact, newest
from control_plane.entitlements import FEATURES, METERS, Feature, Grant, PlanGrant
from kernel.contracts import Meter, OverLimit

THRESHOLDS: Final = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class Held:
    """Packs of an add-on."""

    addon: AddOn
    quantity: int


@dataclass(frozen=True, slots=True)
class Budget:
    """Minor units a month, and what happens once they are spent: `bill` only tells."""

    amount: int
    over: OverLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """`price` in minor units a month (`None`: by contract, nothing is charged by itself); `meters` with add-ons,
    overrides and the customer's choices applied; `thresholds` in per cent."""

    plan: Plan
    price: int | None
    trial_ends_at: datetime | None
    meters: dict[Meter, MeterTerms]
    addons: tuple[Held, ...]
    features: dict[str, Feature]
    overridden: tuple[str, ...]
    budget: Budget | None
    thresholds: tuple[int, ...]

    def grant(self, *, budget_spent: bool) -> PlanGrant:
        """As entitlements. Once the budget is spent, what would be billed is treated as the budget says."""
        grants = []
        for meter in METERS:
            terms = self.meters[meter]
            over = terms.over
            if budget_spent and self.budget is not None and over == "bill" and terms.overage is not None:
                over = self.budget.over
            grants.append(Grant(meter, terms.included, over))
        return PlanGrant(self.plan.id, self.plan.version, tuple(grants), self.plan.rates(), self.features)


def in_force(facts: Sequence[Fact], at: datetime, catalog: Catalog) -> InForce | None:
    """The terms at a moment; `None` before the app's first plan, where nobody has said which it is, and while the plan
    is ended."""
    held = newest(facts, at)
    base = held.get(("plan", ""))
    if base is None or ("plan", ENDED) in held:
        return None
    trial = held.get(("trial", ""))
    plan = _plan(catalog, (trial or base).value)
    addons = () if trial else _addons(held, catalog)
    overrides = {subject: fact.value for (kind, subject), fact in held.items() if kind == "override"}
    choices: dict[str, Any] = {subject: fact.value for (kind, subject), fact in held.items() if kind == "over"}
    budget, alerts = held.get(("budget", "")), held.get(("alerts", ""))
    return InForce(
        plan=plan,
        price=0 if trial else cast("int | None", overrides.get("price", plan.price)),
        trial_ends_at=datetime.fromisoformat(trial.value["ends_at"]) if trial else None,
        meters={
            meter: _meter(meter, plan.terms(meter), addons, overrides, choices.get(meter), trial=trial is not None)
            for meter in METERS
        },
        addons=addons,
        features={
            **plan.entitlements,
            **{name: overrides[f"feature.{name}"] for name in FEATURES if f"feature.{name}" in overrides},
        },
        overridden=tuple(sorted(overrides)),
        budget=Budget(budget.value["amount"], budget.value["over"]) if budget and not trial else None,
        thresholds=tuple(sorted({*THRESHOLDS, *alerts.value})) if alerts else THRESHOLDS,
    )


def _plan(catalog: Catalog, value: dict[str, Any]) -> Plan:
    return catalog.get(value["plan"], value["version"])


def _addons(held: dict[tuple[str, str], Fact], catalog: Catalog) -> tuple[Held, ...]:
    return tuple(
        Held(catalog.addon(subject, fact.value["version"]), fact.value["quantity"])
        for (kind, subject), fact in sorted(held.items())
        if kind == "addon"
    )


def _meter(
    meter: Meter,
    plan: MeterTerms,
    addons: Sequence[Held],
    overrides: dict[str, Any],
    choice: OverLimit | None,
    *,
    trial: bool,
) -> MeterTerms:
    included: int | None = overrides.get(f"{meter}.included", plan.included)
    if included is not None:
        included += sum(held.addon.amount * held.quantity for held in addons if held.addon.meter == meter)
    overage = plan.overage
    if (special := overrides.get(f"{meter}.overage")) is not None:
        overage = Overage(price=special["price"], per=special["per"])
    if included is None:
        return MeterTerms(over="bill", included=None, overage=None)
    if trial:
        # Nobody is billed for a trial: it stops where the plan would begin to charge.
        return MeterTerms(over="stop", included=included)
    choices: tuple[OverLimit, ...] = plan.choices
    over: OverLimit = overrides.get(f"{meter}.over", plan.over)
    if choice is not None and choice in choices:
        over = choice
    if over == "bill" and overage is None:
        # Beyond the limit there would be no price: let nobody use it for nothing by accident.
        over = "stop"
    return MeterTerms(over=over, included=included, overage=overage, choices=choices)


def choices_in(facts: Sequence[Fact], meter: Meter, begin: datetime, end: datetime, catalog: Catalog) -> set[OverLimit]:
    """What was to happen beyond a meter's limit at any time from `begin` to before `end`."""
    moments = [begin, *(fact.began_at for fact in facts if begin < fact.began_at < end)]
    terms = [in_force(facts, moment, catalog) for moment in moments]
    return {one.meters[meter].over for one in terms if one is not None}
