"""Load and check the plan file."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from control_plane.entitlements import METERS, Grant, PlanGrant
from kernel.contracts import LIMITED, OverLimit, RateLimit
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
    """One meter of a plan. `included` in units a month, `None` for unlimited."""

    over: OverLimit
    included: int | None = None
    overage: Overage | None = None


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
    limits: tuple[RateTerms, ...] = ()

    def grant(self) -> PlanGrant:
        """The plan as entitlements."""
        terms: dict[str, MeterTerms] = {meter: getattr(self, meter) for meter in METERS}
        grants = tuple(Grant(meter, terms[meter].included, terms[meter].over) for meter in METERS)
        limits = tuple(RateLimit(policy=t.policy, per_second=t.per_second, burst=t.burst) for t in self.limits)
        return PlanGrant(self.id, self.version, grants, limits)


class _File(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    currency: str
    plans: tuple[Plan, ...]


class Catalog:
    """Every version of every plan."""

    def __init__(self, currency: str, plans: tuple[Plan, ...]) -> None:
        self.currency = currency
        self._versions = {(plan.id, plan.version): plan for plan in plans}
        self._newest = {plan.id: plan for plan in sorted(plans, key=lambda plan: plan.version)}

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
    return Catalog(document.currency, document.plans)


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
    for plan_id, numbers in versions.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            found.append(f"{plan_id}: versions must be 1, 2, 3 … without gap or repetition, not {sorted(numbers)}")
    if "free" not in versions:
        found.append("there is no plan `free`, which new apps get")
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
    if terms.included is None and terms.over != "bill":
        found.append(f"is unlimited, so there is nothing to {terms.over}; give `included`")
    if terms.included is not None and terms.over == "bill" and terms.overage is None:
        found.append("bills beyond its limit and has no `overage` price")
    if terms.overage is not None and terms.over != "bill":
        found.append(f"has an `overage` price, and does `{terms.over}` instead of `bill`")
    if terms.overage is not None and (terms.overage.price < 0 or terms.overage.per < 1):
        found.append("needs an `overage` price of 0 or more for 1 unit or more")
    return found
