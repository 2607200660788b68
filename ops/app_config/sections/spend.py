"""The spend guard's choices, as billing keeps them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from billing.money import decimals, parse_amount
from billing.plans import load_catalog
from billing.terms import InForce, in_force, load
from billing.terms.facts import newest
from billing.terms.service import MOST_THRESHOLDS, set_budget, set_over, set_thresholds
from control_plane.entitlements import METERS
from kernel.contracts import Meter, OverLimit
from ops.app_config.section import Items, Named, Path, Problems, Whole, convert
from ops.app_config.target import Target


class _Budget(msgspec.Struct, forbid_unknown_fields=True):
    amount: str
    over: OverLimit


class _Spend(msgspec.Struct, forbid_unknown_fields=True):
    alerts: list[int]
    beyond: dict[Meter, OverLimit] = {}
    budget: _Budget | None = None


class SpendSection(Named):
    """`[spend]`: what happens beyond each limit, the budget of a month, and when to be told beside 50, 80 and 100 %."""

    name = "spend"
    asked_for = True
    why = "what an app may cost belongs to one environment"

    async def read(self, target: Target) -> Items:
        """`beyond` has the meters for which the plan leaves a choice; without a budget there is no `budget`."""
        terms, thresholds = await _terms(target)
        if terms is None:
            return {("alerts",): []}
        beyond = {meter: terms.meters[meter].over for meter in METERS if terms.meters[meter].choices}
        items: Items = {("alerts",): thresholds}
        if beyond:
            items["beyond",] = beyond
        if terms.budget is not None:
            items["budget",] = {"amount": _typed(terms.budget.amount), "over": terms.budget.over}
        return items

    def check(self, table: Mapping[str, Any], problems: Problems) -> Items:
        """Whether the plan leaves those choices is seen at the app."""
        spend: _Spend | None = convert(table, _Spend, self.name, problems)
        if spend is None:
            return {}
        thresholds = sorted(set(spend.alerts))
        if len(thresholds) > MOST_THRESHOLDS or any(not 1 <= one <= 1_000 for one in thresholds):
            problems.add(f"{self.name}.alerts", f"At most {MOST_THRESHOLDS} numbers from 1 to 1000.")
        items: Items = {("alerts",): thresholds}
        if spend.beyond:
            items["beyond",] = {meter: spend.beyond[meter] for meter in METERS if meter in spend.beyond}
        if spend.budget is not None:
            amount = parse_amount(spend.budget.amount, load_catalog().currency)
            if not amount:
                problems.add(f"{self.name}.budget.amount", "A budget is an amount above zero, such as 150.00.")
            else:
                items["budget",] = {"amount": _typed(amount), "over": spend.budget.over}
        return items

    def judge(self, whole: Whole, live: Whole, target: Target, problems: Problems) -> None:
        """The file says what happens for each meter for which the plan leaves a choice, and for no other."""
        if self.name not in whole:
            return
        free = live.get(self.name, {}).get(("beyond",), {})
        said = whole[self.name].get(("beyond",), {})
        for meter in METERS:
            if meter in said and meter not in free:
                problems.add(f"{self.name}.beyond.{meter}", "The app's plan leaves no choice here.")
            elif meter in free and meter not in said:
                problems.add(f"{self.name}.beyond.{meter}", "The app's plan leaves a choice here; say which.")

    async def put(self, target: Target, path: Path, value: Any) -> None:
        """As a customer does on the page."""
        if path == ("alerts",):
            async with target.change() as ctx:
                await set_thresholds(ctx, target.app_id, value)
        elif path == ("budget",):
            async with target.change() as ctx:
                amount = parse_amount(value["amount"], load_catalog().currency)
                await set_budget(ctx, target.app_id, amount, value["over"])
        else:
            terms, _ = await _terms(target)
            for meter, over in value.items():
                if terms is None or terms.meters[meter].over != over:
                    async with target.change() as ctx:
                        await set_over(ctx, target.app_id, meter, over)

    async def remove(self, target: Target, path: Path) -> None:
        """No budget any more. What happens beyond a limit is always something."""
        if path == ("budget",):
            async with target.change() as ctx:
                await set_budget(ctx, target.app_id, None)


async def _terms(target: Target) -> tuple[InForce | None, list[int]]:
    """What is in force, and the thresholds that were chosen."""
    now = target.deps.clock.now()
    async with target.deps.database.unit_of_work(read_only=True) as uow:
        facts = await load(uow.session, target.app_id)
    chosen = newest(facts, now).get(("alerts", ""))
    return in_force(facts, now, load_catalog()), sorted(chosen.value) if chosen is not None else []


def _typed(amount: int) -> str:
    """Minor units as somebody types them: `150.00`."""
    places = decimals(load_catalog().currency)
    whole, rest = divmod(amount, 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)
