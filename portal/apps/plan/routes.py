"""`/apps/{app_id}/plan`."""

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from billing.money import amount_text
from billing.plans import load_catalog
from billing.terms.service import change_plan, end_trial, keep_plan, set_addon, start_trial
from billing.usage.spend import preview_change, spend
from control_plane.entitlements import METERS, WORDS
from kernel.errors import InvalidInput, NatterError, NotFound
from portal.apps.plan.words import included_words, price_words, terms_words, waiting
from portal.apps.usage.units import NAMES, amount
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency
from portal.http.visit import Visit

Pages = Request[Any, Any, Any]


class PlanForm(Form, frozen=True, kw_only=True):
    """A plan by its id."""

    plan: Annotated[str, Field("Plan", blank="Choose a plan.")] = ""


class TrialEndForm(Form, frozen=True, kw_only=True):
    """What a trial ends with: `yes` keeps the plan."""

    keep: str = ""


class AddOnForm(Form, frozen=True, kw_only=True):
    """How many packs of an add-on the app shall have."""

    addon: Annotated[str, Field("Add-on", blank="Choose an add-on.")] = ""
    quantity: Annotated[str, Field("Packs", blank="Enter a number.")] = ""


@get("/apps/{app_id:str}/plan")
async def show_plan(request: Pages, visit: VisitDependency, app_scope: AppScopeDependency) -> Response[str]:
    """What the app has, what the month costs so far, and the other plans."""
    app_scope.member.require("usage.read")
    return await _plan_page(request, visit, app_scope)


@get("/apps/{app_id:str}/plan/{plan_id:str}")
async def show_change(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, plan_id: FromPath[str]
) -> Response[str]:
    """What a change would mean, before it is made."""
    member, deps, catalog = app_scope.member, visit.deps, load_catalog()
    member.require("billing.manage")
    if plan_id not in catalog.ids():
        raise NotFound()
    async with deps.read(member) as uow:
        change = await preview_change(uow.session, app_scope.app.id, plan_id, now=deps.clock.now())
        found = await spend(uow.session, app_scope.app.id, now=deps.clock.now())
    return page(
        request,
        "apps/plan/change.html",
        scope=app_scope,
        change=change,
        at_once=change.begins <= deps.clock.now(),
        rows=[(NAMES[meter], terms_words(change.plan.terms(meter), meter)) for meter in METERS],
        has=found.terms if found else None,
        money=_money,
        price=price_words(change.plan, catalog.currency),
    )


@post("/apps/{app_id:str}/plan")
async def submit_plan(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Change the plan: a larger one now, a smaller one when the month ends."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, PlanForm)
    try:
        form.check()
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            begins = await change_plan(ctx, app_scope.app.id, form.data.plan)
            now = begins <= ctx.now
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, form=form.fail(error))
    name = load_catalog().newest(form.data.plan).name
    visit.flash(f"The app is on {name} now." if now else f"{name} begins on {begins.day} {begins:%B}.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/keep")
async def submit_keep(request: Pages, visit: VisitDependency, app_scope: AppScopeDependency) -> Response[None]:
    """Take back a change that waits for the month's end."""
    app_scope.member.require("billing.manage")
    await read_form(request, Form)
    async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
        await keep_plan(ctx, app_scope.app.id)
    visit.flash("The app stays on its plan.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/trial")
async def submit_trial(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Begin a trial."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, PlanForm)
    try:
        form.check()
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            ends = await start_trial(ctx, app_scope.app.id, form.data.plan)
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, form=form.fail(error))
    visit.flash(f"The trial runs until {ends.day} {ends:%B}.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/trial/end")
async def submit_trial_end(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Keep the plan after its trial, or give it up now."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, TrialEndForm)
    keep = form.data.keep == "yes"
    try:
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            when = await end_trial(ctx, app_scope.app.id, keep=keep)
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, form=form.fail(error))
    visit.flash(f"The plan is kept and paid from {when.day} {when:%B} on." if keep else "The trial is over.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/addons")
async def submit_addon(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Have more packs of an add-on now, or fewer from the next month on."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, AddOnForm)
    try:
        form.check()
        wanted = form.data.quantity.strip()
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 6):
            raise InvalidInput("`quantity` must be a whole number.", field="quantity")
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            begins = await set_addon(ctx, app_scope.app.id, form.data.addon, int(wanted))
            now = begins <= ctx.now
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, form=form.fail(error))
    visit.flash("The add-on is changed." if now else f"The add-on changes on {begins.day} {begins:%B}.")
    return redirect(request, _path(app_scope))


async def _plan_page(request: Pages, visit: Visit, scope: AppScope, *, form: FormView | None = None) -> Response[str]:
    deps, catalog, now = visit.deps, load_catalog(), visit.deps.clock.now()
    async with deps.read(scope.member) as uow:
        found = await spend(uow.session, scope.app.id, now=now)
    plan = found.terms.plan if found else catalog.get(scope.app.plan, scope.app.plan_version)
    meters = found.terms.meters if found else {meter: plan.terms(meter) for meter in METERS}
    packs = {held.addon.id: held.quantity for held in found.terms.addons} if found else {}
    return page(
        request,
        "apps/plan/page.html",
        form=form,
        scope=scope,
        plan=plan,
        terms=found.terms if found else None,
        spend=found,
        waits=waiting(found.facts, now, catalog) if found else [],
        rows=[(NAMES[meter], terms_words(meters[meter], meter)) for meter in METERS],
        features=[(WORDS[name], value) for name, value in (found.terms.features if found else {}).items()],
        plans=[catalog.newest(plan_id) for plan_id in catalog.ids()],
        rank=catalog.rank,
        price_of=lambda one: price_words(one, catalog.currency),
        included=included_words,
        addons=[(addon, packs.get(addon.id, 0)) for addon in catalog.addons()],
        amount=amount,
        money=_money,
    )


def _money(minor: int) -> str:
    return amount_text(minor, load_catalog().currency)


def _path(scope: AppScope) -> str:
    return f"/apps/{scope.app.public_id}/plan"


ROUTES = [show_plan, show_change, submit_plan, submit_keep, submit_trial, submit_trial_end, submit_addon]
