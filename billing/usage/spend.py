"""What the running month of an app costs so far, and whether its budget is spent."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing.invoices.charges import Line, charges
from billing.plans import Plan, load_catalog
from billing.terms import Fact, InForce, in_force, load
from billing.usage.periods import month_bounds
from billing.usage.rollup import month_totals
from kernel.clock import month_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """`amount`: minor units that the month costs if nothing more is used; `used`: units by meter so far."""

    month: str
    used: dict[str, int]
    terms: InForce
    lines: list[Line]
    amount: int
    facts: list[Fact]

    @property
    def budget_spent(self) -> bool:
        """Whether there is a budget and it is spent."""
        return self.terms.budget is not None and self.amount >= self.terms.budget.amount

    @property
    def overshoot(self) -> int:
        """Minor units beyond the budget: what came in until the nodes had heard."""
        return max(0, self.amount - self.terms.budget.amount) if self.terms.budget else 0


async def spend(session: AsyncSession, app_id: UUID, *, now: datetime) -> Spend | None:
    """The running month of an app; `None` where nothing was ever agreed."""
    facts, month = await load(session, app_id), month_of(now)
    terms = in_force(facts, now, load_catalog())
    if terms is None:
        return None
    used = await month_totals(session, app_id, month)
    lines = charges(app_id, facts, month, used, load_catalog())
    amount = sum(line.amount for line in lines)
    return Spend(month=month, used=used, terms=terms, lines=lines, amount=amount, facts=facts)


async def budget_is_spent(session: AsyncSession, app_id: UUID, *, now: datetime) -> bool:
    """Whether the app has a budget for the month that is spent."""
    found = await spend(session, app_id, now=now)
    return found is not None and found.budget_spent


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What another plan would mean: when it begins, what this month costs with it, and its price for a whole month."""

    plan: Plan
    begins: datetime
    now: int
    then: int
    lines: list[Line]


async def preview_change(session: AsyncSession, app_id: UUID, plan_id: str, *, now: datetime) -> PlanChange:
    """The running month with a change of plan, by what has been used so far. It prices as the invoice will.

    Raises `InvalidInput` for a plan that there is not.
    """
    catalog, found = load_catalog(), await spend(session, app_id, now=now)
    plan = catalog.newest(plan_id)
    if found is None:
        return PlanChange(plan, now, 0, plan.price or 0, [])
    base = next(fact for fact in reversed(found.facts) if _chosen(fact) and fact.began_at <= now)
    begins = now
    if found.terms.trial_ends_at is None and catalog.rank(plan.id) < catalog.rank(base.value["plan"]):
        begins = month_bounds(month_of(now))[1]
    kept = [fact for fact in found.facts if not (_chosen(fact) and fact.began_at > now)]
    wish = replace(base, value={"plan": plan.id, "version": plan.version}, began_at=begins)
    added = [wish]
    if found.terms.trial_ends_at is not None:
        # It ends with the change.
        kept = [fact for fact in kept if not (fact.kind == "trial" and fact.began_at > now)]
        added.append(replace(base, kind="trial", value=None, began_at=now))
    known = sorted([*kept, *added], key=lambda fact: fact.began_at)
    lines = charges(app_id, known, found.month, found.used, catalog)
    return PlanChange(plan, begins, found.amount, sum(line.amount for line in lines), lines)


def _chosen(fact: Fact) -> bool:
    # Not that the plan ended with its organization, and came back.
    return fact.kind == "plan" and fact.subject == ""
