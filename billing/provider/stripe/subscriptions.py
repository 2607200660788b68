"""The mirror: what Stripe says of an app's subscription, and what follows from it here.

It is always fetched whole, whatever caused the look, and applied as a level: an event is only a reason to look. So
events may come twice, late, in any order or never; and what was asked for earlier never replaces what was asked for
later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.alerts.letters import system_context
from billing.plans import load_catalog
from billing.provider.stripe import dunning
from billing.provider.stripe.catalog import Wanted, items_of_terms, known_price
from billing.provider.stripe.client import Object, StripeApi, moment
from billing.terms.facts import Fact, load
from billing.terms.follow import Course, Next, deviates, follow
from billing.terms.force import choices_in, in_force
from billing.usage.periods import month_bounds
from control_plane import audit
from control_plane.context import Actor, Context, Deps
from control_plane.entitlements import METERS
from kernel.clock import month_of
from kernel.errors import InvalidInput
from kernel.ids import format_id, parse_id

LIVE: Final = ("trialing", "active", "past_due", "unpaid", "paused")
ENDED: Final = ("canceled", "incomplete_expired")
SYSTEM: Final = Actor("system:stripe")

_COLUMNS: Final = (
    "s.app_id, s.organization_id, s.slot, s.subscription_id, s.status, s.plan, s.version, s.items, s.began_at, "
    "s.period_begin, s.period_end, s.cancels_at, s.ended_at, s.next_plan, s.next_version, s.schedule_id, "
    "s.unpaid_since, s.latest_invoice, s.fetched_at, c.customer_id"
)
_FROM: Final = (
    "from control.stripe_subscriptions s join control.stripe_customers c on c.organization_id = s.organization_id"
)
_ONE = text(f"select {_COLUMNS} {_FROM} where s.app_id = :app")
_ALL = text(f"select {_COLUMNS} {_FROM} order by s.app_id")
_OF_SUBSCRIPTION = text("select app_id from control.stripe_subscriptions where subscription_id = :subscription")
# The customer's row is the lock under which slots are counted.
_SLOT = text(
    "update control.stripe_customers set slots = slots + 1 where organization_id = :organization returning slots"
)
_OPEN = text(
    "insert into control.stripe_subscriptions (app_id, organization_id, slot, created_at) "
    "values (:app, :organization, :slot, :now)"
)
_LOCK = text("select pg_advisory_xact_lock(hashtextextended('stripe ' || :app, 0))")
_FETCHED = text("select fetched_at from control.stripe_subscriptions where app_id = :app")
_STORE = text(
    """
    update control.stripe_subscriptions set subscription_id = :subscription_id, status = :status, plan = :plan,
        version = :version, items = cast(:items as jsonb), began_at = :began_at, period_begin = :period_begin,
        period_end = :period_end, cancels_at = :cancels_at, ended_at = :ended_at, next_plan = :next_plan,
        next_version = :next_version, schedule_id = :schedule_id, unpaid_since = :unpaid_since,
        latest_invoice = :latest_invoice, fetched_at = :fetched_at
    where app_id = :app_id
    """
)
_KEYS = text("select price_id, lookup_key from control.stripe_prices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A row of the mirror. `items`: `id`, `price`, `key`, `quantity`, `meter` of each."""

    app_id: UUID
    organization_id: UUID
    slot: int
    subscription_id: str | None
    status: str | None
    plan: str | None
    version: int | None
    items: list[dict[str, Any]]
    began_at: datetime | None
    period_begin: datetime | None
    period_end: datetime | None
    cancels_at: datetime | None
    ended_at: datetime | None
    next_plan: str | None
    next_version: int | None
    schedule_id: str | None
    unpaid_since: datetime | None
    latest_invoice: str | None
    fetched_at: datetime | None
    customer_id: str | None

    @property
    def live(self) -> bool:
        """Whether there is a subscription that is being paid for, or should be."""
        return self.status in LIVE

    @property
    def open(self) -> bool:
        """Whether there is one that lives, or whose first payment is still awaited."""
        return self.status is not None and self.status not in ENDED


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at Stripe said: the mirror's fields, since when the plan is paid for, subscriptions too many."""

    fields: dict[str, Any]
    since: datetime | None
    extra: list[Object]


async def seen(session: AsyncSession, app_id: UUID) -> Seen | None:
    """What is known of an app's subscription."""
    row = (await session.execute(_ONE, {"app": app_id})).mappings().one_or_none()
    return Seen(**row) if row is not None else None


async def every_seen(session: AsyncSession) -> list[Seen]:
    """Of all apps that ever asked for one."""
    return [Seen(**row) for row in (await session.execute(_ALL)).mappings()]


async def open_row(session: AsyncSession, app_id: UUID, organization_id: UUID, *, now: datetime) -> Seen:
    """The app's row, made with a slot of its own if there is none. The customer's row must be there."""
    found = await seen(session, app_id)
    if found is None:
        await session.execute(_LOCK, {"app": str(organization_id)})
        found = await seen(session, app_id)
    if found is None:
        slot = (await session.execute(_SLOT, {"organization": organization_id})).scalar_one()
        values = {"app": app_id, "organization": organization_id, "slot": slot, "now": now}
        await session.execute(_OPEN, values)
        found = await seen(session, app_id)
        assert found is not None
    return found


async def app_of(session: AsyncSession, subscription: Object) -> UUID | None:
    """Which app a subscription is for: it says so itself, or we know it."""
    try:
        return parse_id("app", (subscription.get("metadata") or {}).get("natter_app", ""))
    except InvalidInput:
        found: UUID | None = await session.scalar(_OF_SUBSCRIPTION, {"subscription": subscription["id"]})
        return found


async def agreed_items(
    session: AsyncSession, app_id: UUID, slot: int, *, now: datetime, plan: tuple[str, int] | None = None
) -> list[Wanted] | None:
    """What the app should be subscribed to by its terms, or with another plan from now on. `None`: nothing holds."""
    facts, catalog = await load(session, app_id), load_catalog()
    if plan is not None:
        known = [fact for fact in facts if fact.kind != "trial" and not (_chosen(fact) and fact.began_at > now)]
        base = next((fact for fact in facts if _chosen(fact)), None)
        if base is None:
            return None
        value = {"plan": plan[0], "version": plan[1]}
        facts = [*(fact for fact in known if fact.began_at <= now), _as(base, value, now)]
    terms = in_force(facts, now, catalog)
    if terms is None:
        return None
    begin, _ = month_bounds(month_of(now))
    held = [fact for fact in facts if fact.began_at <= now]
    # Up to now and with it: what begins this instant counts.
    until = now + timedelta(microseconds=1)
    billed = [meter for meter in METERS if "bill" in choices_in(held, meter, begin, until, catalog)]
    return items_of_terms(terms, slot, billed=billed)


def _as(base: Fact, value: dict[str, Any], at: datetime) -> Fact:
    return Fact(
        id=base.id,
        organization_id=base.organization_id,
        app_id=base.app_id,
        kind="plan",
        subject="",
        value=value,
        began_at=at,
        created_at=at,
        created_by=base.created_by,
        reason=None,
    )


def _chosen(fact: Fact) -> bool:
    return fact.kind == "plan" and fact.subject == ""


class Mirror:
    """Looks at Stripe and lets the app follow."""

    def __init__(self, deps: Deps, api: StripeApi) -> None:
        self._deps = deps
        self._api = api

    async def refresh(self, app_id: UUID, *, because: str) -> list[Object]:
        """Look, store, follow. Returns subscriptions of the app that are too many. Raises `ProviderAway`."""
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            known = await seen(uow.session, app_id)
            keys = {row.price_id: row.lookup_key for row in await uow.session.execute(_KEYS)}
        if known is None or known.customer_id is None:
            return []
        asked = self._deps.clock.now()
        look = await self._look(known, keys)
        if look is None:
            return []
        await self.apply(app_id, look, asked=asked, because=because)
        return look.extra

    async def apply(self, app_id: UUID, look: Look, *, asked: datetime, because: str) -> bool:
        """Store a look and follow it; false when a later one is stored already."""
        async with self._deps.database.unit_of_work() as uow:
            ctx = system_context(self._deps, uow, actor=SYSTEM)
            await ctx.session.execute(_LOCK, {"app": str(app_id)})
            # A statement of its own after the lock: it sees what the previous holder stored.
            before = await seen(ctx.session, app_id)
            if before is None or (before.fetched_at is not None and before.fetched_at > asked):
                return False
            course = _course(look, now=ctx.now)
            if course is not None and await deviates(ctx.session, app_id, course, now=ctx.now):
                # It begins with the configuration's lock, so it comes before any row is written.
                await follow(ctx, app_id, course, because=because)
            await dunning.tell(ctx, app_id, look.fields["unpaid_since"])
            items = msgspec.json.encode(look.fields["items"]).decode()
            await ctx.session.execute(_STORE, look.fields | {"items": items, "app_id": app_id, "fetched_at": asked})
            await _note(ctx, before, look)
        return True

    async def _look(self, known: Seen, keys: dict[str, str]) -> Look | None:
        v1, app = self._api.v1, format_id("app", known.app_id)
        listed = self._api.every(v1.subscriptions.list_async, customer=known.customer_id, status="all")
        own = [each async for each in listed if (each.get("metadata") or {}).get("natter_app") == app]
        if not own:
            return None
        one, extra = choose(own)
        items = [_item(each) for each in one["items"]["data"]]
        base = next((each for each in items if each["plan"] and not each["meter"]), None)
        periods = [
            (each["current_period_start"], each["current_period_end"])
            for each in one["items"]["data"]
            if each.get("current_period_end")
        ]
        following = await self._following(one, keys)
        cancels = one.get("cancel_at") or (max(end for _, end in periods) if one["cancel_at_period_end"] else None)
        begin, end = (min(b for b, _ in periods), max(e for _, e in periods)) if periods else (None, None)
        noted = one.get("metadata") or {}
        same = base is not None and noted.get("natter_plan") == f"{base['plan']}@{base['version']}"
        since = int(noted["natter_since"]) if same and noted.get("natter_since") else one["start_date"]
        fields = {
            "subscription_id": one["id"],
            "status": one["status"],
            "plan": base["plan"] if base else None,
            "version": base["version"] if base else None,
            "items": items,
            "began_at": moment(one["start_date"]),
            "period_begin": moment(begin),
            "period_end": moment(end),
            "cancels_at": moment(cancels) if one["status"] not in ENDED else None,
            "ended_at": moment(one.get("ended_at")),
            "next_plan": following.plan if following else None,
            "next_version": following.version if following else None,
            "schedule_id": one.get("schedule") if one["status"] not in ENDED else None,
            "unpaid_since": await self._unpaid(one),
            "latest_invoice": one.get("latest_invoice"),
        }
        return Look(fields, moment(since), extra)

    async def _following(self, subscription: Object, keys: dict[str, str]) -> Next | None:
        """The plan of the schedule's last phase, if that is still to come."""
        if not subscription.get("schedule") or subscription["status"] in ENDED:
            return None
        schedule = await self._api.call(self._api.v1.subscription_schedules.retrieve_async, subscription["schedule"])
        current = schedule.get("current_phase") or {}
        for phase in schedule.get("phases") or []:
            if phase["start_date"] <= (current.get("start_date") or 0):
                continue
            for item in phase["items"]:
                price = item["price"] if isinstance(item["price"], str) else item["price"]["id"]
                plan, version = plan_of_key(keys.get(price, ""))
                if plan is not None and version is not None:
                    return Next(plan, version, datetime.fromtimestamp(phase["start_date"], UTC))
        return None

    async def _unpaid(self, subscription: Object) -> datetime | None:
        """When the oldest invoice was made out that was tried and not paid."""
        if subscription["status"] in ("active", "trialing", "incomplete", "incomplete_expired"):
            return None
        listed = self._api.every(self._api.v1.invoices.list_async, subscription=subscription["id"], status="open")
        due = [
            (each.get("status_transitions") or {}).get("finalized_at") or each["created"]
            async for each in listed
            if each.get("attempted") and each["amount_remaining"] > 0
        ]
        return moment(min(due)) if due else None


def choose(subscriptions: Sequence[Object]) -> tuple[Object, list[Object]]:
    """Of an app's subscriptions the one that counts, the same whoever looks and when: of those that live the first,
    else the last. And those that live too, and must not."""
    order = sorted(subscriptions, key=lambda each: (each["created"], each["id"]))
    live = [each for each in order if each["status"] in LIVE]
    if live:
        # Whoever has paid for one is not left with another that was never paid.
        unpaid = [each for each in order if each["status"] == "incomplete"]
        return live[0], [*live[1:], *unpaid]
    waiting = [each for each in order if each["status"] == "incomplete"]
    if waiting:
        return waiting[-1], waiting[:-1]
    return order[-1], []


def plan_of_key(key: str) -> tuple[str | None, int | None]:
    """`natter:growth@3:base` as plan and version; nothing of any other key."""
    parts = key.split(":")
    if len(parts) < 3 or parts[0] != "natter" or parts[2] != "base" or "@" not in parts[1]:
        return None, None
    plan, _, version = parts[1].partition("@")
    return plan, int(version)


def _item(item: Object) -> dict[str, Any]:
    known = known_price(item["price"])
    return {"id": item["id"], "price": item["price"]["id"], "quantity": item.get("quantity"), **known}


def _course(look: Look, *, now: datetime) -> Course | None:
    fields, catalog = look.fields, load_catalog()
    plan, version = fields["plan"], fields["version"]
    if plan is None or version is None or plan not in catalog.ids():
        return None
    free = catalog.newest("free")
    if fields["status"] in ENDED:
        if fields["ended_at"] is None or fields["status"] == "incomplete_expired":
            return None
        return Course("free", free.version, fields["ended_at"], replaces=(plan, version))
    if fields["status"] not in LIVE or look.since is None:
        return None
    then = None
    if fields["cancels_at"] is not None:
        then = Next("free", free.version, fields["cancels_at"])
    elif fields["next_plan"] is not None and fields["period_end"] is not None:
        then = Next(fields["next_plan"], fields["next_version"], fields["period_end"])
    if then is not None and then.at <= now:
        # Stripe is about to change it: what was to be is so already.
        return Course(then.plan, then.version, then.at)
    return Course(plan, version, look.since, then)


async def _note(ctx: Context, before: Seen, look: Look) -> None:
    """An audit entry where something has changed that a person would ask about."""
    fields = look.fields
    names = ("subscription_id", "status", "plan", "version", "cancels_at", "next_plan", "unpaid_since")
    changed = {
        name: [_said(getattr(before, name)), _said(fields[name])]
        for name in names
        if getattr(before, name) != fields[name]
    }
    if changed:
        target = format_id("app", before.app_id)
        organization_id = before.organization_id
        await audit.record(
            ctx,
            "subscription.seen",
            target,
            organization_id=organization_id,
            app_id=before.app_id,
            changed=changed,
        )


def _said(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
