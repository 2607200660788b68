"""Load and check the plan file."""

import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from control_plane.entitlements import FEATURES, METERS, Feature, Grant, PlanGrant
from kernel.contracts import LIMITED, Meter, OverLimit, RateLimit
from kernel.errors import InvalidInput
from kernel.gcra import rate
from kernel.settings import SettingsError

DEFAULT_FILE: Final = Path(__file__).parent / "plans.toml"


class PlanFileError(SettingsError):
    """The plan file is wrong; the message names the plan and the meter."""

    code = "plan_file"
    title = "The plan file is not valid"


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A misspelt key must not become a limit that is not there."""


class Overage(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`price` minor units for every `per` units beyond what is included, or part of them."""

    price: int
    per: int


class MeterTerms(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One meter of a plan. `included` in units a month, `None` for unlimited.

    `over` is what happens beyond it unless the customer chooses another of `choices` (empty: there is no choice).
    """

    over: OverLimit
    included: int | None = None
    overage: Overage | None = None
    choices: tuple[OverLimit, ...] = ()


class RateTerms(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rate limit of a plan that is not the nodes' default."""

    policy: str
    per_second: float
    burst: int


class Plan(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a plan. `price` in minor units a month, `None`: by contract."""

    id: str
    version: int
    name: str
    price: int | None = None
    mau: MeterTerms
    peak_connections: MeterTerms
    messages: MeterTerms
    storage_bytes: MeterTerms
    trial_days: int = 0
    entitlements: dict[str, Feature] = {}
    limits: tuple[RateTerms, ...] = ()

    def terms(self, meter: Meter) -> MeterTerms:
        """What it says of a meter."""
        terms: MeterTerms = getattr(self, meter)
        return terms

    def rates(self) -> tuple[RateLimit, ...]:
        """Its rate limits, as nodes read them."""
        return tuple(RateLimit(policy=t.policy, per_second=t.per_second, burst=t.burst) for t in self.limits)

    def grant(self) -> PlanGrant:
        """The plan as entitlements."""
        grants = tuple(Grant(meter, self.terms(meter).included, self.terms(meter).over) for meter in METERS)
        return PlanGrant(self.id, self.version, grants, self.rates(), dict(self.entitlements))


class AddOn(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """More of a meter for a price, in packs. `price` in minor units a month, `amount` in the meter's units, both a
    pack."""

    id: str
    version: int
    name: str
    price: int
    meter: Meter
    amount: int
    most: int = 100


class Coupon(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takes `percent`, or `amount` minor units, off the invoices of `months` months. `until`: the last day to redeem
    it."""

    code: str
    name: str
    months: int
    percent: int = 0
    amount: int = 0
    until: date | None = None


class Tax(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is added at the end. `basis_points`: hundredths of a per cent."""

    name: str = "Tax"
    basis_points: int = 0


class Dunning(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many days each step of an unpaid bill lasts (`billing.dunning`)."""

    past_due: int = 14
    read_only: int = 14
    suspended: int = 16
    export: int = 14


class _File(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    currency: str
    tax: Tax = Tax()
    dunning: Dunning = Dunning()
    plans: tuple[Plan, ...]
    addons: tuple[AddOn, ...] = ()
    coupons: tuple[Coupon, ...] = ()


class Catalog:
    """Every version of every plan and add-on, and the coupons."""

    def __init__(self, file: "_File") -> None:
        plans = file.plans
        self.currency = file.currency
        self.tax = file.tax
        self.dunning = file.dunning
        self._versions = {(plan.id, plan.version): plan for plan in plans}
        self._newest = {plan.id: plan for plan in sorted(plans, key=lambda plan: plan.version)}
        self._addons = {(addon.id, addon.version): addon for addon in file.addons}
        self._newest_addons = {addon.id: addon for addon in sorted(file.addons, key=lambda addon: addon.version)}
        self._coupons = {coupon.code: coupon for coupon in file.coupons}

    def ids(self) -> list[str]:
        """The plans' ids, in the order of the file."""
        return list(dict.fromkeys(plan_id for plan_id, _ in self._versions))

    def newest(self, plan_id: str) -> Plan:
        """What a new app gets. Raises `InvalidInput` that lists the plans."""
        if plan_id not in self._newest:
            raise InvalidInput(f"There is no plan {plan_id!r}; the plans are {', '.join(self.ids())}.", field="plan")
        return self._newest[plan_id]

    def get(self, plan_id: str, version: int) -> Plan:
        """The version that an app is on. Raises `InvalidInput`."""
        if (plan_id, version) not in self._versions:
            raise InvalidInput(f"There is no version {version} of a plan {plan_id!r}.", field="plan")
        return self._versions[plan_id, version]

    def rank(self, plan_id: str) -> int:
        """Its place in the file's order, from the least to the most."""
        return self.ids().index(plan_id)

    def addons(self) -> list[AddOn]:
        """The newest version of each add-on, in the order of the file."""
        return list(self._newest_addons.values())

    def addon(self, addon_id: str, version: int | None = None) -> AddOn:
        """An add-on, the newest version unless one is named. Raises `InvalidInput`."""
        found = self._newest_addons.get(addon_id) if version is None else self._addons.get((addon_id, version))
        if found is None:
            raise InvalidInput(f"There is no add-on {addon_id!r}.", field="addon")
        return found

    def coupons(self) -> list[Coupon]:
        """All of them, in the order of the file."""
        return list(self._coupons.values())

    def coupon(self, code: str) -> Coupon:
        """By its code, however it is written. Raises `InvalidInput`."""
        found = self._coupons.get(code.strip().upper())
        if found is None:
            raise InvalidInput("There is no such coupon.", field="code")
        return found


@cache
def load_catalog(file: Path = DEFAULT_FILE) -> Catalog:
    """Read and check a plan file. Raises `PlanFileError`."""
    try:
        document = msgspec.convert(tomllib.loads(file.read_text()), _File)
    except OSError as error:
        raise PlanFileError(f"The plan file {file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise PlanFileError(f"{file}: {error}") from error
    problems = list(_problems(document))
    if problems:
        raise PlanFileError("\n".join(f"{file}: {problem}" for problem in problems))
    return Catalog(document)


def _problems(document: _File) -> "list[str]":
    found = []
    if not (len(document.currency) == 3 and document.currency.isalpha() and document.currency.islower()):
        found.append("`currency` must be three lower-case letters, such as usd")
    versions: dict[str, list[int]] = {}
    for plan in document.plans:
        versions.setdefault(plan.id, []).append(plan.version)
        if plan.price is not None and plan.price < 0:
            found.append(f"{plan.id}@{plan.version}: `price` is negative")
        for meter in METERS:
            found += [f"{plan.id}@{plan.version}: {meter} {what}" for what in _meter_problems(getattr(plan, meter))]
        found += [f"{plan.id}@{plan.version}: {what}" for what in _rate_problems(plan.limits)]
        found += [f"{plan.id}@{plan.version}: {what}" for what in _feature_problems(plan.entitlements)]
        if plan.trial_days < 0 or (plan.trial_days and not plan.price):
            found.append(f"{plan.id}@{plan.version}: `trial_days` are for a plan with a price")
    for plan_id, numbers in versions.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            found.append(f"{plan_id}: versions must be 1, 2, 3 … without gap or repetition, not {sorted(numbers)}")
    if "free" not in versions:
        found.append("there is no plan `free`, which new apps get")
    return found + _offer_problems(document)


def _offer_problems(document: _File) -> "list[str]":
    found = []
    seen: set[tuple[str, int]] = set()
    for addon in document.addons:
        if addon.price < 0 or addon.amount < 1 or addon.most < 1 or (addon.id, addon.version) in seen:
            found.append(
                f"add-on {addon.id}@{addon.version}: needs a price of 0 or more, 1 unit or more, a version once"
            )
        seen.add((addon.id, addon.version))
    for coupon in document.coupons:
        if coupon.code != coupon.code.upper() or coupon.months < 1 or (coupon.percent > 0) == (coupon.amount > 0):
            found.append(f"coupon {coupon.code}: needs an upper-case code, 1 month or more, and `percent` or `amount`")
        if not (0 <= coupon.percent <= 100 and coupon.amount >= 0):
            found.append(f"coupon {coupon.code}: takes off 0 to 100 per cent, or an amount of 0 or more")
    if len({coupon.code for coupon in document.coupons}) < len(document.coupons):
        found.append("a coupon's code stands there twice")
    steps = document.dunning
    if min(steps.past_due, steps.read_only, steps.suspended) < 0 or steps.export < 1:
        found.append("`dunning`: days are 0 or more, and at least one to export")
    if not 0 <= document.tax.basis_points <= 10_000:
        found.append("`tax.basis_points` must be 0 to 10000")
    return found


def _feature_problems(features: dict[str, Feature]) -> "list[str]":
    found = []
    for name, value in features.items():
        if name not in FEATURES:
            found.append(f"there is no entitlement {name!r}; there are {', '.join(FEATURES)}")
        elif type(value) is not FEATURES[name] or value < 0:
            found.append(f"entitlement {name} must be {'on or off' if FEATURES[name] is bool else 'a number'}")
    return found


def _rate_problems(limits: tuple[RateTerms, ...]) -> "list[str]":
    found = []
    for terms in limits:
        if terms.policy not in LIMITED:
            found.append(f"there is no rate limit {terms.policy!r}; there are {', '.join(LIMITED)}")
        try:
            rate(terms.per_second, terms.burst)
        except ValueError as error:
            found.append(f"{terms.policy} cannot have {error}")
    if len({terms.policy for terms in limits}) < len(limits):
        found.append("sets a rate limit twice")
    return found


def _meter_problems(terms: MeterTerms) -> "list[str]":
    found = []
    if terms.included is not None and terms.included < 0:
        found.append("includes a negative amount")
    if terms.choices and terms.over not in terms.choices:
        found.append(f"does `{terms.over}`, which is none of its `choices`")
    if "bill" in terms.choices and terms.overage is None and terms.included is not None:
        found.append("lets customers choose `bill` and has no `overage` price")
    if terms.included is None and terms.over != "bill":
        found.append(f"is unlimited, so there is nothing to {terms.over}; give `included`")
    if terms.included is not None and terms.over == "bill" and terms.overage is None:
        found.append("bills beyond its limit and has no `overage` price")
    if terms.overage is not None and terms.over != "bill" and "bill" not in terms.choices:
        found.append(f"has an `overage` price, and does `{terms.over}` instead of `bill`")
    if terms.overage is not None and (terms.overage.price < 0 or terms.overage.per < 1):
        found.append("needs an `overage` price of 0 or more for 1 unit or more")
    return found
