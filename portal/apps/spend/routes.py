"""`/apps/{app_id}/spend`."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, get_args

from litestar import Request, Response, get, post

from billing.alerts import Alert, list_alerts
from billing.money import amount_text, decimals, parse_amount
from billing.plans import load_catalog
from billing.terms import THRESHOLDS
from billing.terms.service import set_budget, set_over, set_thresholds
from billing.usage.periods import month_bounds
from billing.usage.spend import Spend, spend
from control_plane.entitlements import METERS
from kernel.clock import month_of
from kernel.contracts import Meter, OverLimit
from kernel.errors import InvalidInput, NatterError
from portal.apps.usage.units import NAMES, amount, part, share
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency
from portal.http.visit import Visit

Pages = Request[Any, Any, Any]

CHOICES: Final[dict[OverLimit, tuple[str, str]]] = {
    "bill": ("Bill it", "Everything goes on. What is beyond the limit is on the invoice."),
    "throttle": ("Slow down", "Everything goes on at a tenth of the plan's rates. Nothing more is charged."),
    "stop": ("Stop", "Nodes refuse what is beyond the limit, within ten seconds. Nothing more is charged."),
}


class OverForm(Form, frozen=True, kw_only=True):
    """What happens beyond the limit of a meter."""

    meter: str = ""
    over: Annotated[str, Field("Beyond the limit", blank="Choose what happens.")] = ""


class BudgetForm(Form, frozen=True, kw_only=True):
    """An amount as it is typed; empty for none."""

    amount: Annotated[str, Field("Budget a month")] = ""
    budget_over: Annotated[str, Field("Once it is spent", blank="Choose what happens.")] = ""


class AlertsForm(Form, frozen=True, kw_only=True):
    """Numbers, in any manner apart."""

    thresholds: Annotated[str, Field("More thresholds")] = ""


@get("/apps/{app_id:str}/spend")
async def show_spend(request: Pages, visit: VisitDependency, app_scope: AppScopeDependency) -> Response[str]:
    """What the month costs so far, against the budget; what was told."""
    app_scope.member.require("usage.read")
    return await _spend_page(request, visit, app_scope)


@post("/apps/{app_id:str}/spend/over")
async def submit_over(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Choose what happens beyond a limit, within what the plan allows."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, OverForm)
    try:
        form.check()
        meter, over = _meter(form.data.meter), _over(form.data.over)
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await set_over(ctx, app_scope.app.id, meter, over)
    except NatterError as error:
        return await _spend_page(request, visit, app_scope, form=form.fail(error))
    visit.flash(f"{NAMES[meter]}: {CHOICES[over][0].lower()} beyond the limit.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/spend/budget")
async def submit_budget(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Set the month's budget, or take it away."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, BudgetForm)
    try:
        form.check()
        over, currency = _over(form.data.budget_over), load_catalog().currency
        wanted = parse_amount(form.data.amount, currency) if form.data.amount.strip() else None
        if form.data.amount.strip() and not wanted:
            raise InvalidInput(
                f"`amount` must be an amount in {currency.upper()} above zero, such as {_money(25_000).split(' ')[0]}.",
                field="amount",
            )
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await set_budget(ctx, app_scope.app.id, wanted, over)
    except NatterError as error:
        return await _spend_page(request, visit, app_scope, form=form.fail(error))
    visit.flash(f"The budget is {_money(wanted)} a month." if wanted else "There is no budget any more.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/spend/alerts")
async def submit_alerts(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Be told at more thresholds than 50, 80 and 100 %."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, AlertsForm)
    try:
        words = [word for word in re.split(r"[\s,;%]+", form.data.thresholds) if word]
        if not all(word.isascii() and word.isdigit() and len(word) < 5 for word in words):
            raise InvalidInput("`thresholds` must be whole numbers of per cent, such as 25, 90.", field="thresholds")
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await set_thresholds(ctx, app_scope.app.id, [int(word) for word in words])
    except NatterError as error:
        return await _spend_page(request, visit, app_scope, form=form.fail(error))
    visit.flash("The thresholds are saved.")
    return redirect(request, _path(app_scope))


async def _spend_page(request: Pages, visit: Visit, scope: AppScope, *, form: FormView | None = None) -> Response[str]:
    deps, now = visit.deps, visit.deps.clock.now()
    async with deps.read(scope.member) as uow:
        found = await spend(uow.session, scope.app.id, now=now)
        alerts = await list_alerts(uow.session, scope.app.id, month_of(now))
    begin, end = month_bounds(month_of(now))
    return page(
        request,
        "apps/spend/page.html",
        form=form,
        scope=scope,
        spend=found,
        month=f"{begin:%B %Y}",
        next_month=end,
        forecast=_forecast(found, now) if found else None,
        bars=_bars(found) if found else None,
        meters=[(meter, NAMES[meter], found.terms.meters[meter], found.used.get(meter, 0)) for meter in METERS]
        if found
        else [],
        choices=CHOICES,
        alerts=[(alert, _alert_words(alert)) for alert in alerts],
        usual=THRESHOLDS,
        custom=[one for one in found.terms.thresholds if one not in THRESHOLDS] if found else [],
        amount=amount,
        part=part,
        share=share,
        money=_money,
        plain=_plain,
        currency=load_catalog().currency.upper(),
    )


def _forecast(found: Spend, now: datetime) -> int | None:
    """What the month comes to if what is charged beyond the plan goes on like this; `None` in its first day."""
    begin, end = month_bounds(found.month)
    gone = (now.astimezone(UTC) - begin).total_seconds()
    if gone < 86_400:
        return None
    fixed = sum(line.amount for line in found.lines if line.kind != "usage")
    usage = sum(line.amount for line in found.lines if line.kind == "usage")
    return fixed + round(usage * (end - begin).total_seconds() / gone)


def _bars(found: Spend) -> int | None:
    """How much of the budget is spent, in thousandths; `None` without one."""
    budget = found.terms.budget
    return min(1_000, round(1_000 * found.amount / budget.amount)) if budget else None


def _alert_words(alert: Alert) -> str:
    if alert.subject == "budget":
        return f"{_money(alert.used)} of a budget of {_money(alert.limit)}"
    return part(alert.subject, alert.used, alert.limit)


def _meter(text: str) -> Meter:
    for meter in METERS:
        if meter == text:
            return meter
    raise InvalidInput("There is no such meter.")


def _over(text: str) -> OverLimit:
    for over in get_args(OverLimit):
        if over == text:
            chosen: OverLimit = over
            return chosen
    raise InvalidInput("Choose what happens.")


def _money(minor: int) -> str:
    return amount_text(minor, load_catalog().currency)


def _plain(minor: int) -> str:
    """As a field holds it."""
    digits = decimals(load_catalog().currency)
    return _money(minor).split(" ")[0].replace(",", "") if digits else str(minor)


def _path(scope: AppScope) -> str:
    return f"/apps/{scope.app.public_id}/spend"


ROUTES = [show_spend, submit_over, submit_budget, submit_alerts]
