"""Change what is agreed. Each use case states facts, lets nodes hear at once and writes an audit entry.

More takes effect now, less at the end of the period (months of UTC), so that nobody loses what is paid for.
"""

from datetime import datetime, timedelta
from typing import Any, Final, get_args
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from billing.plans import Catalog, Plan, load_catalog
from billing.terms import facts as ledger
from billing.terms.facts import Agreement, Fact, newest
from billing.terms.force import InForce, in_force
from billing.usage.periods import month_bounds
from billing.usage.spend import budget_is_spent
from control_plane import audit, configuration
from control_plane.apps import repository
from control_plane.apps.models import App
from control_plane.context import Context
from control_plane.entitlements import FEATURES, METERS, apply
from kernel.clock import month_of, rfc3339
from kernel.contracts import Meter, OverLimit
from kernel.errors import Conflict, Forbidden, InvalidInput
from kernel.ids import format_id

MOST_THRESHOLDS: Final = 10
MOST: Final = 10**12

_VERIFIED = text(
    "select exists (select from control.memberships m join control.accounts a on a.id = m.account_id "
    "where m.organization_id = :organization and m.role = 'owner' and a.verified_at is not null)"
)


class TrialUsed(Conflict):
    """The organization has had its trial."""

    code = "trial_used"
    title = "The organization has had its trial"


def period_end(now: datetime) -> datetime:
    """The first instant of the next month."""
    return month_bounds(month_of(now))[1]


async def change_plan(
    ctx: Context, app_id: UUID, plan_id: str, *, by_customer: bool = True, at_once: bool = False
) -> datetime:
    """Put an app on the newest version of a plan; returns when it takes effect.

    A plan of a higher place takes effect now, another one at the period's end. Either replaces a change that waits, and
    ends a trial. `at_once` is for operators. Raises `InvalidInput`, and `Forbidden` for a plan that is by contract,
    unless an operator asks.
    """
    app, catalog = await _app(ctx, app_id), load_catalog()
    plan = catalog.newest(plan_id)
    if plan.price is None and by_customer:
        raise Forbidden(f"{plan.name} is by contract. Write to us, and we put the app on it.")
    now, held = await _now(ctx, app, catalog)
    before = _label(held.plan) if held else f"{app.plan}@{app.plan_version}"
    up = held is None or held.trial_ends_at is not None or catalog.rank(plan.id) >= catalog.rank(_base(now, catalog).id)
    waiting = await _agreement(ctx, app).take_back("plan")
    if held is not None and held.trial_ends_at is not None:
        await _agreement(ctx, app).take_back("trial")
        await _agreement(ctx, app).state("trial", None)
        up = True
    begins = ctx.now if up or at_once else period_end(ctx.now)
    if _label(plan) != before or waiting or (held and held.trial_ends_at):
        value = {"plan": plan.id, "version": plan.version}
        await _agreement(ctx, app).state("plan", value, began_at=begins)
    await settle(ctx.session, app.id, now=ctx.now)
    await _audit(ctx, app, "plan_changed", before=before, after=_label(plan), begins=rfc3339(begins))
    return begins


async def keep_plan(ctx: Context, app_id: UUID) -> bool:
    """Take a change that waits for the period's end back; false when none did."""
    app = await _app(ctx, app_id)
    taken = bool(await _agreement(ctx, app).take_back("plan"))
    await settle(ctx.session, app.id, now=ctx.now)
    await _audit(ctx, app, "plan_kept", plan=f"{app.plan}@{app.plan_version}", changed=taken)
    return taken


async def start_trial(ctx: Context, app_id: UUID, plan_id: str) -> datetime:
    """Let an app have a plan for nothing for a while; returns until when. Then it goes back to the plan it has.

    One for each organization, of which an owner has confirmed the address. Raises `TrialUsed`, `Forbidden`,
    `InvalidInput`.
    """
    app, catalog = await _app(ctx, app_id), load_catalog()
    plan = catalog.newest(plan_id)
    now, held = await _now(ctx, app, catalog)
    if not plan.trial_days:
        raise InvalidInput(f"{plan.name} cannot be tried.", field="plan")
    if held is not None and catalog.rank(plan.id) <= catalog.rank(_base(now, catalog).id):
        raise InvalidInput("A trial is of a larger plan than the app has.", field="plan")
    if not await ctx.session.scalar(_VERIFIED, {"organization": app.organization_id}):
        raise Forbidden("Trials are for organizations of which an owner has confirmed the e-mail address.")
    ends = ctx.now + timedelta(days=plan.trial_days)
    value = {"plan": plan.id, "version": plan.version, "ends_at": rfc3339(ends)}
    try:
        async with ctx.session.begin_nested():
            await _agreement(ctx, app).state("trial", value)
    except IntegrityError as error:
        raise TrialUsed("Each organization has one trial, and this one has had it.") from error
    await _agreement(ctx, app).state("trial", None, began_at=ends)
    await settle(ctx.session, app.id, now=ctx.now)
    await _audit(ctx, app, "trial_started", plan=_label(plan), ends=rfc3339(ends))
    return ends


async def end_trial(ctx: Context, app_id: UUID, *, keep: bool) -> datetime:
    """Decide what a trial ends with: `keep` the plan, paid from the trial's end on, or go back now. Returns when.

    Raises `Conflict` when there is no trial.
    """
    app, catalog = await _app(ctx, app_id), load_catalog()
    _, held = await _now(ctx, app, catalog)
    if held is None or held.trial_ends_at is None:
        raise Conflict("There is no trial under way.")
    await _agreement(ctx, app).take_back("plan")
    if keep:
        when = held.trial_ends_at
        value = {"plan": held.plan.id, "version": held.plan.version}
        await _agreement(ctx, app).state("plan", value, began_at=when)
    else:
        when = ctx.now
        await _agreement(ctx, app).take_back("trial")
        await _agreement(ctx, app).state("trial", None)
    await settle(ctx.session, app.id, now=ctx.now)
    await _audit(ctx, app, "trial_kept" if keep else "trial_ended", plan=_label(held.plan), when=rfc3339(when))
    return when


async def set_addon(ctx: Context, app_id: UUID, addon_id: str, quantity: int) -> datetime:
    """Have that many packs of an add-on: more of them now, fewer from the period's end on. Returns when it begins.

    Raises `InvalidInput`, and `Conflict` on a plan without a price or in a trial.
    """
    app, catalog = await _app(ctx, app_id), load_catalog()
    addon = catalog.addon(addon_id)
    if not 0 <= quantity <= addon.most:
        raise InvalidInput(f"`quantity` must be 0 to {addon.most}.", field="quantity")
    now, held = await _now(ctx, app, catalog)
    if quantity and (held is None or not held.price or held.trial_ends_at is not None):
        raise Conflict("Add-ons go with a plan that has a price, once it is no trial any more.")
    has = now.get(("addon", addon_id))
    before = has.value["quantity"] if has else 0
    await _agreement(ctx, app).take_back("addon", addon_id)
    begins = ctx.now if quantity >= before else period_end(ctx.now)
    if quantity != before:
        # Packs that stay keep the version and so the price they were bought at.
        version = has.value["version"] if has and quantity < before else addon.version
        value = {"version": version, "quantity": quantity} if quantity else None
        await _agreement(ctx, app).state("addon", value, subject=addon_id, began_at=begins)
    await settle(ctx.session, app.id, now=ctx.now)
    data = {"addon": addon_id, "before": before, "after": quantity, "begins": rfc3339(begins)}
    await _audit(ctx, app, "addon_changed", **data)
    return begins


async def set_override(ctx: Context, app_id: UUID, path: str, value: Any, *, reason: str) -> None:
    """Let something hold for one app that its plan does not say; `None` takes it away. For operators.

    Paths: `price`, `<meter>.included`, `<meter>.over`, `<meter>.overage` ({price, per}), `feature.<name>`. Raises
    `InvalidInput` that says what is wrong.
    """
    if not reason.strip():
        raise InvalidInput("Say why: the customer sees it in the audit log.", field="reason")
    if value is not None:
        check_override(path, value)
    app = await _app(ctx, app_id)
    await _agreement(ctx, app).state("override", value, subject=path, reason=reason.strip())
    await settle(ctx.session, app.id, now=ctx.now)
    await _audit(ctx, app, "terms_overridden", path=path, value=value, reason=reason.strip())


def check_override(path: str, value: Any) -> None:
    """Raises `InvalidInput` unless the path exists and the value suits it."""
    subject, _, rest = path.partition(".")
    amount = type(value) is int and 0 <= value <= 10**15
    match subject, rest:
        case "price", "":
            good = amount
        case "feature", name if name in FEATURES:
            good = isinstance(value, int) and type(value) is FEATURES[name] and value >= 0
        case meter, "included" if meter in METERS:
            good = amount
        case meter, "over" if meter in METERS:
            good = value in get_args(OverLimit)
        case meter, "overage" if meter in METERS:
            price, per = (value.get("price"), value.get("per")) if isinstance(value, dict) else (None, None)
            good = type(price) is int and type(per) is int and price >= 0 and per >= 1 and len(value) == 2
        case _:
            raise InvalidInput(f"There is nothing {path!r} to override.", field="path")
    if not good:
        raise InvalidInput(f"{value!r} is no value for {path!r}.", field="value")


async def set_over(ctx: Context, app_id: UUID, meter: Meter, over: OverLimit) -> None:
    """Choose what happens beyond what the plan includes. Raises `InvalidInput` where the plan leaves no such choice."""
    app, catalog = await _app(ctx, app_id), load_catalog()
    _, held = await _now(ctx, app, catalog)
    allowed = held.meters[meter].choices if held else ()
    if over not in allowed:
        raise InvalidInput(f"The plan does not let you choose `{over}` here.", field=meter)
    await _agreement(ctx, app).state("over", over, subject=meter)
    await settle(ctx.session, app.id, now=ctx.now)
    await _audit(ctx, app, "spend_guard_changed", meter=meter, over=over)


async def set_budget(ctx: Context, app_id: UUID, amount: int | None, over: OverLimit = "bill") -> None:
    """A month's budget in minor units and what happens when it is spent; `None`: no budget. Raises `InvalidInput`."""
    if amount is not None and not 1 <= amount <= MOST:
        raise InvalidInput("A budget is an amount above zero.", field="amount")
    if over not in get_args(OverLimit):
        raise InvalidInput("`over` must be bill, throttle or stop.", field="over")
    app = await _app(ctx, app_id)
    value = None if amount is None else {"amount": amount, "over": over}
    await _agreement(ctx, app).state("budget", value)
    await settle(ctx.session, app.id, now=ctx.now)
    await _audit(ctx, app, "budget_changed", amount=amount, over=over)


async def set_thresholds(ctx: Context, app_id: UUID, thresholds: list[int]) -> None:
    """At which per cent of limits and budget to be told, beside 50, 80 and 100. Raises `InvalidInput`."""
    if len(thresholds) > MOST_THRESHOLDS or any(not 1 <= one <= 1_000 for one in thresholds):
        raise InvalidInput(f"At most {MOST_THRESHOLDS} numbers from 1 to 1000.", field="thresholds")
    app = await _app(ctx, app_id)
    await _agreement(ctx, app).state("alerts", sorted(set(thresholds)))
    await _audit(ctx, app, "alerts_changed", thresholds=sorted(set(thresholds)))


async def settle(session: AsyncSession, app_id: UUID, *, now: datetime) -> InForce | None:
    """Let the app have what is in force now, in this transaction; `None` where nothing was ever agreed."""
    held = in_force(await ledger.load(session, app_id), now, load_catalog())
    if held is not None:
        spent = await budget_is_spent(session, app_id, now=now)
        await apply(session, app_id, held.grant(budget_spent=spent), now=now)
    return held


def _agreement(ctx: Context, app: App) -> Agreement:
    return Agreement(ctx, app.organization_id, app.id)


async def _app(ctx: Context, app_id: UUID) -> App:
    # One change of terms at a time: of two that come together the second sees the first. It is the lock that every
    # change of what nodes see begins with.
    await configuration.advance(ctx.session)
    return await repository.get(ctx.session, app_id)


async def _now(ctx: Context, app: App, catalog: Catalog) -> tuple[dict[tuple[str, str], Fact], InForce | None]:
    known = await ledger.load(ctx.session, app.id)
    return newest(known, ctx.now), in_force(known, ctx.now, catalog)


def _base(now: dict[tuple[str, str], Fact], catalog: Catalog) -> Plan:
    value = now["plan", ""].value
    return catalog.get(value["plan"], value["version"])


def _label(plan: Plan) -> str:
    return f"{plan.id}@{plan.version}"


async def _audit(ctx: Context, app: App, verb: str, **data: object) -> None:
    target = format_id("app", app.id)
    await audit.record(ctx, f"app.{verb}", target, organization_id=app.organization_id, app_id=app.id, **data)
