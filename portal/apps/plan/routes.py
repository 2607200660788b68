"""`/apps/{app_id}/plan`."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from billing.dunning import unpaid_app
from billing.money import amount_text
from billing.plans import Plan, load_catalog
from billing.provider import Provider, ProviderAway
from billing.terms.service import end_trial, set_addon, start_trial
from billing.usage.spend import preview_change, spend
from control_plane.entitlements import METERS, WORDS
from kernel.clock import rfc3339
from kernel.errors import InvalidInput, NatterError, NotFound
from portal.apps.plan.words import included_words, price_words, terms_words, waiting
from portal.apps.usage.units import NAMES, amount
from portal.billing.paying import ProviderDependency, bill_of, leave
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency
from portal.http.visit import Visit

Pages = Request[Any, Any, Any]


class PlanForm(Form, frozen=True, kw_only=True):
    """A plan by its id."""

    plan: Annotated[str, Field("Plan", blank="Choose a plan.")] = ""


class ChangeForm(PlanForm, frozen=True, kw_only=True):
    """The same, and the instant that the preview has priced."""

    at: str = ""


class TrialEndForm(Form, frozen=True, kw_only=True):
    """What a trial ends with: `yes` keeps the plan."""

    keep: str = ""


class AddOnForm(Form, frozen=True, kw_only=True):
    """How many packs of an add-on the app shall have."""

    addon: Annotated[str, Field("Add-on", blank="Choose an add-on.")] = ""
    quantity: Annotated[str, Field("Packs", blank="Enter a number.")] = ""


@get("/apps/{app_id:str}/plan")
async def show_plan(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
) -> Response[str]:
    """What the app has, what the month costs so far, and the other plans."""
    app_scope.member.require("usage.read")
    return await _plan_page(request, visit, app_scope, provider)


@get("/apps/{app_id:str}/plan/{plan_id:str}")
async def show_change(
    request: Pages,
    visit: VisitDependency,
    app_scope: AppScopeDependency,
    provider: ProviderDependency,
    plan_id: FromPath[str],
) -> Response[str]:
    """What a change would mean, before it is made."""
    member, deps, catalog = app_scope.member, visit.deps, load_catalog()
    member.require("billing.manage")
    if plan_id not in catalog.ids():
        raise NotFound()
    if provider.takes_money and catalog.newest(plan_id).price is not None:
        return await _paid_change(request, visit, app_scope, provider, catalog.newest(plan_id))
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


async def _paid_change(
    request: Pages,
    visit: Visit,
    scope: AppScope,
    provider: Provider,
    plan: Plan,
    *,
    form: FormView | None = None,
) -> Response[str]:
    """The same where somebody is paid: to the minor unit what will be charged, or that nobody can say it now."""
    standing = await provider.standing(scope.member)
    has, preview, away = standing.app(scope.app.id), None, False
    ending = not plan.price
    if not ending:
        try:
            preview = await provider.preview(scope.member, scope.app.id, plan.id)
        except ProviderAway:
            # No failure of the page, which says what goes on without it.
            away = True
    return page(
        request,
        "apps/plan/pay.html",
        form=form,
        scope=scope,
        plan=plan,
        has=has,
        ending=ending,
        preview=preview,
        away=away,
        card=standing.card,
        at_once=preview is not None and preview.takes_effect <= preview.at,
        rows=[(NAMES[meter], terms_words(plan.terms(meter), meter)) for meter in METERS],
        money=lambda minor: amount_text(minor, preview.currency if preview else standing.currency),
        price=price_words(plan, load_catalog().currency),
        at=rfc3339(preview.at) if preview else "",
    )


@post("/apps/{app_id:str}/plan")
async def submit_plan(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """Change the plan: a larger one now, a smaller one when the month ends."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, ChangeForm)
    begins: datetime | None = None
    try:
        form.check()
        plan = load_catalog().newest(form.data.plan)
        begins = await provider.change(
            app_scope.member, app_scope.app.id, plan.id, at=_instant(form.data.at), request_id=visit.request_id
        )
    except ProviderAway as away:
        if not away.kept:
            return await _paid_change(request, visit, app_scope, provider, plan, form=form.fail(away))
        visit.flash(away.message)
        return redirect(request, _path(app_scope))
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, provider, form=form.fail(error))
    now = begins <= visit.deps.clock.now()
    visit.flash(f"The app is on {plan.name} now." if now else f"{plan.name} begins on {begins.day} {begins:%B}.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/checkout")
async def submit_checkout(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """Go on to the page on which a plan is paid for the first time."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, PlanForm)
    back = f"{visit.deps.settings.portal}{_path(app_scope)}"
    try:
        form.check()
        plan = load_catalog().newest(form.data.plan)
        url = await provider.checkout(
            app_scope.member,
            app_scope.app.id,
            plan.id,
            return_url=f"{back}/paid",
            cancel_url=back,
            request_id=visit.request_id,
        )
    except ProviderAway as away:
        return await _paid_change(request, visit, app_scope, provider, plan, form=form.fail(away))
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, provider, form=form.fail(error))
    return leave(request, url)


@get("/apps/{app_id:str}/plan/paid")
async def show_paid(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """Back from the payment page: whether we have heard that it was paid. It asks again by itself until we have."""
    app_scope.member.require("billing.manage")
    if not provider.takes_money:
        return redirect(request, _path(app_scope))
    standing = (await provider.standing(app_scope.member)).app(app_scope.app.id)
    async with visit.deps.read(app_scope.member) as uow:
        unpaid = await unpaid_app(uow.session, app_scope.app.id)
    known = standing is not None and standing.status in ("active", "trialing") and not standing.waiting
    template = "apps/plan/paid_state.html" if visit.fragment else "apps/plan/paid.html"
    plan = load_catalog().newest(standing.plan_id) if standing is not None and standing.plan_id else None
    return page(request, template, scope=app_scope, paid=known and unpaid is None, plan=plan)


@post("/apps/{app_id:str}/plan/cancel")
async def submit_cancel(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """End what is paid for when the month ends; the app is on the free plan then."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, Form)
    try:
        ends = await provider.cancel(app_scope.member, app_scope.app.id, request_id=visit.request_id)
    except ProviderAway as away:
        if not away.kept:
            return await _plan_page(request, visit, app_scope, provider, form=form.fail(away))
        visit.flash(away.message)
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, provider, form=form.fail(error))
    else:
        visit.flash(f"The plan ends on {ends.day} {ends:%B}.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/keep")
async def submit_keep(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """Take back a change that waits for the month's end."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, Form)
    try:
        await provider.keep(app_scope.member, app_scope.app.id, request_id=visit.request_id)
    except ProviderAway as away:
        if not away.kept:
            return await _plan_page(request, visit, app_scope, provider, form=form.fail(away))
        visit.flash(away.message)
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, provider, form=form.fail(error))
    else:
        visit.flash("The app stays on its plan.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/trial")
async def submit_trial(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """Begin a trial."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, PlanForm)
    try:
        form.check()
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            ends = await start_trial(ctx, app_scope.app.id, form.data.plan)
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, provider, form=form.fail(error))
    visit.flash(f"The trial runs until {ends.day} {ends:%B}.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/trial/end")
async def submit_trial_end(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
) -> Response[str] | Response[None]:
    """Keep the plan after its trial, or give it up now."""
    app_scope.member.require("billing.manage")
    form = await read_form(request, TrialEndForm)
    keep = form.data.keep == "yes"
    try:
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            when = await end_trial(ctx, app_scope.app.id, keep=keep)
    except NatterError as error:
        return await _plan_page(request, visit, app_scope, provider, form=form.fail(error))
    visit.flash(f"The plan is kept and paid from {when.day} {when:%B} on." if keep else "The trial is over.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/plan/addons")
async def submit_addon(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, provider: ProviderDependency
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
        return await _plan_page(request, visit, app_scope, provider, form=form.fail(error))
    visit.flash("The add-on is changed." if now else f"The add-on changes on {begins.day} {begins:%B}.")
    return redirect(request, _path(app_scope))


async def _plan_page(
    request: Pages, visit: Visit, scope: AppScope, provider: Provider, *, form: FormView | None = None
) -> Response[str]:
    deps, catalog, now = visit.deps, load_catalog(), visit.deps.clock.now()
    async with deps.read(scope.member) as uow:
        found = await spend(uow.session, scope.app.id, now=now)
        unpaid = await unpaid_app(uow.session, scope.app.id)
    standing = await provider.standing(scope.member)
    plan = found.terms.plan if found else catalog.get(scope.app.plan, scope.app.plan_version)
    meters = found.terms.meters if found else {meter: plan.terms(meter) for meter in METERS}
    packs = {held.addon.id: held.quantity for held in found.terms.addons} if found else {}
    return page(
        request,
        "apps/plan/page.html",
        form=form,
        scope=scope,
        unpaid=unpaid,
        pay=await bill_of(provider, scope.member, unpaid),
        paying=standing,
        subscription=standing.app(scope.app.id),
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


def _instant(text: str) -> datetime | None:
    """What the preview's page says of when it was priced. Raises `InvalidInput`."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput("`at` is not the instant of a preview.", field="plan")
    return at


def _money(minor: int) -> str:
    return amount_text(minor, load_catalog().currency)


def _path(scope: AppScope) -> str:
    return f"/apps/{scope.app.public_id}/plan"


ROUTES = [
    show_plan, show_change, show_paid, submit_plan, submit_checkout, submit_cancel, submit_keep, submit_trial,
    submit_trial_end, submit_addon,
]  # fmt: skip
