"""What Stripe is asked to do: rows first, calls afterwards.

A row is written in the transaction of whatever causes it and holds the idempotency key of its call. So a call that was
cut off is made again with the same key and does its work once. Keys are forgotten after a day; what would then be
done twice (credits, items on invoices) is looked up before it is tried again.

Of one app's commands the oldest goes first, and a wish for a plan replaces those before it that have not been granted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text

from billing.alerts.letters import system_context
from billing.plans import load_catalog
from billing.provider.port import PaymentRefused, ProviderAway
from billing.provider.stripe.catalog import PriceList, Wanted
from billing.provider.stripe.client import Object, StripeApi, StripeRefused, seconds
from billing.provider.stripe.customers import Customers
from billing.provider.stripe.subscriptions import SYSTEM, Mirror, Seen, agreed_items, seen
from billing.terms.service import period_end
from control_plane import audit
from control_plane.context import Context, Deps
from kernel.ids import format_id
from kernel.logging import get_logger

WISHES: Final = ("change", "schedule", "cancel", "keep")
"""Commands about the plan: the newest one is what is wanted."""
MOST_ATTEMPTS: Final = 60
REMEMBERED: Final = timedelta(hours=20)
"""For how long an idempotency key is relied upon; Stripe keeps it a day at least."""

_COLUMNS: Final = "id, organization_id, app_id, kind, subject, params, key, actor, attempts, created_at"
_PUT = text(
    """
    insert into control.stripe_commands
        (id, organization_id, app_id, kind, subject, params, key, state, actor, created_at, due_at)
    values (:id, :organization, :app, :kind, :subject, cast(:params as jsonb), :key, 'pending', :actor, :now, :due)
    on conflict do nothing returning id
    """
)
_REPLACE = text(
    "update control.stripe_commands set state = 'replaced', done_at = :now "
    "where app_id = :app and state = 'pending' and kind = any(cast(:kinds as text[]))"
)
_DUE = text(
    """
    select c.id from control.stripe_commands c where c.state = 'pending' and c.due_at <= :now and not exists (
        select from control.stripe_commands e where e.app_id = c.app_id and e.state = 'pending' and e.id < c.id
            and e.due_at <= :now)
    order by c.id limit 100
    """
)
_TAKE = text(
    f"update control.stripe_commands set attempts = attempts + 1, due_at = :lease "  # noqa: S608 - constant text
    f"where id = :id and state = 'pending' returning {_COLUMNS}"
)
_END = text("update control.stripe_commands set state = :state, done_at = :now, last_error = :error where id = :id")
_LATER = text("update control.stripe_commands set due_at = :due, last_error = :error where id = :id")
_LEASE: Final = timedelta(minutes=2)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A row. `params` by kind, see the functions of `Commands`."""

    id: UUID
    organization_id: UUID
    app_id: UUID | None
    kind: str
    subject: str
    params: dict[str, Any]
    key: str
    actor: str
    attempts: int
    created_at: datetime


def about(app_id: UUID | None, organization_id: UUID) -> str:
    """The public id of what a command is about: the app, or the organization where it is about no app."""
    return format_id("app", app_id) if app_id is not None else format_id("org", organization_id)


async def ask(
    ctx: Context,
    organization_id: UUID,
    app_id: UUID | None,
    kind: str,
    params: dict[str, Any],
    *,
    subject: str = "",
    due: datetime | None = None,
) -> UUID | None:
    """Write a command into the transaction; `None` when one of this kind and subject was asked for before."""
    command_id = ctx.ids.uuid7()
    if kind in WISHES:
        await ctx.session.execute(_REPLACE, {"app": app_id, "kinds": list(WISHES), "now": ctx.now})
    values = {
        "id": command_id,
        "organization": organization_id,
        "app": app_id,
        "kind": kind,
        "subject": subject,
        "params": msgspec.json.encode(params).decode(),
        "key": f"natter-{kind}-{command_id}",
        "actor": ctx.actor.name,
        "now": ctx.now,
        "due": due or ctx.now,
    }
    if (await ctx.session.execute(_PUT, values)).one_or_none() is None:
        return None
    await audit.record(
        ctx,
        f"stripe.{kind}_asked",
        about(app_id, organization_id),
        organization_id=organization_id,
        app_id=app_id,
        **({"subject": subject} if subject else {}),
        **params,
    )
    return command_id


class Commands:
    """Carries commands out. Any number of processes may: a taken row is leased."""

    def __init__(self, deps: Deps, api: StripeApi, prices: PriceList, mirror: Mirror, customers: Customers) -> None:
        self._deps = deps
        self._api = api
        self._prices = prices
        self._mirror = mirror
        self._customers = customers
        self.before_end: Callable[[Seen], Awaitable[None]] | None = None
        """What is done before a subscription ends and has its last invoice."""
        self._kinds: dict[str, Callable[[Command], Awaitable[None]]] = {
            "change": self._change,
            "schedule": self._schedule,
            "keep": self._keep,
            "cancel": self._cancel,
            "subscribe": self._subscribe,
            "items": self._items,
            "end": self._end,
            "duplicate": self._duplicate,
            "credit": self._credit,
            "adjust": self._adjust,
            "coupon": self._coupon,
            "hold": self._hold,
            "finalize": self._finalize,
            "forget": self._forget,
        }

    async def step(self) -> int:
        """Carry out what is due; returns how many were. An outage ends the round: all others would fail as well."""
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            due = list((await uow.session.execute(_DUE, {"now": self._deps.clock.now()})).scalars())
        done = 0
        for command_id in due:
            try:
                done += await self.run(command_id)
            except (StripeRefused, PaymentRefused):
                done += 1
        return done

    async def run(self, command_id: UUID) -> bool:
        """One of them; false when it is done or replaced already, or its turn comes later.

        Raises `ProviderAway` after putting it off, `PaymentRefused` and `StripeRefused` after noting that.
        """
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work() as uow:
            row = (await uow.session.execute(_TAKE, {"id": command_id, "lease": now + _LEASE})).mappings().one_or_none()
        if row is None:
            return False
        command = Command(**row)
        try:
            await self._kinds[command.kind](command)
        except ProviderAway as error:
            await self._put_off(command, repr(error.__cause__ or error))
            raise
        except (StripeRefused, PaymentRefused) as error:
            _log.warning("stripe.refused", command=str(command.id), kind=command.kind, error=error.message)
            await self._finish(command, "refused", error.message)
            raise
        except Exception as error:
            _log.exception("stripe.command_failed", command=str(command.id), kind=command.kind)
            if command.attempts < MOST_ATTEMPTS:
                await self._put_off(command, repr(error))
            else:
                await self._finish(command, "refused", repr(error))
            return False
        await self._finish(command, "done", None)
        return True

    async def _finish(self, command: Command, state: str, error: str | None) -> None:
        async with self._deps.database.unit_of_work() as uow:
            ctx = system_context(self._deps, uow, actor=SYSTEM)
            values = {"id": command.id, "state": state, "now": ctx.now, "error": error[:2000] if error else None}
            await ctx.session.execute(_END, values)
            app = command.app_id
            await audit.record(
                ctx,
                f"stripe.{command.kind}_{state}",
                about(app, command.organization_id),
                organization_id=command.organization_id,
                app_id=app,
                asked_by=command.actor,
                **({"subject": command.subject} if command.subject else {}),
                **({"error": error} if error else {}),
            )

    async def _put_off(self, command: Command, error: str) -> None:
        wait = timedelta(seconds=min(2**command.attempts * 5, 3600))
        values = {"id": command.id, "due": self._deps.clock.now() + wait, "error": error[:2000]}
        async with self._deps.database.unit_of_work() as uow:
            await uow.session.execute(_LATER, values)

    # -- the plan ----------------------------------------------------------------------------------------------------

    async def _change(self, command: Command) -> None:
        """`plan`, `version`, `at`: put the subscription on it as of that second, and charge the difference."""
        known = await self._live(command)
        if known is None:
            return
        await self._release(known, command)
        at = command.params["at"]
        wanted = await self._wanted(known, (command.params["plan"], command.params["version"]))
        await self._api.call(
            self._api.v1.subscriptions.update_async,
            str(known.subscription_id),
            key=command.key,
            items=item_params(known.items, wanted, await self._prices.ids(wanted)),
            proration_behavior="always_invoice",
            proration_date=at,
            cancel_at_period_end=False,
            metadata={
                "natter_plan": f"{command.params['plan']}@{command.params['version']}",
                "natter_since": str(at),
            },
        )
        await self._look(command)

    async def _schedule(self, command: Command) -> None:
        """`plan`, `version`: from the period's end on."""
        known = await self._live(command)
        if known is None:
            return
        wanted = await self._wanted(known, (command.params["plan"], command.params["version"]))
        ids = await self._prices.ids(wanted)
        if known.cancels_at is not None:
            await self._api.call(
                self._api.v1.subscriptions.update_async, str(known.subscription_id), cancel_at_period_end=False
            )
        v1 = self._api.v1
        if known.schedule_id is None:
            schedule = await self._api.call(
                v1.subscription_schedules.create_async, key=command.key, from_subscription=known.subscription_id
            )
        else:
            schedule = await self._api.call(v1.subscription_schedules.retrieve_async, known.schedule_id)
        phase = schedule["current_phase"]
        assert known.period_end is not None
        now_items = [_phase_item(item["price"], item["quantity"]) for item in known.items]
        then_items = [_phase_item(ids[each.price.key], each.quantity) for each in wanted]
        plan = f"{command.params['plan']}@{command.params['version']}"
        await self._api.call(
            v1.subscription_schedules.update_async,
            schedule["id"],
            end_behavior="release",
            proration_behavior="none",
            phases=[
                {
                    "items": now_items,
                    "start_date": phase["start_date"],
                    "end_date": seconds(known.period_end),
                    "proration_behavior": "none",
                },
                {
                    "items": then_items,
                    "start_date": seconds(known.period_end),
                    "duration": {"interval": "month", "interval_count": 1},
                    "proration_behavior": "none",
                    "metadata": {"natter_plan": plan, "natter_since": str(seconds(known.period_end))},
                },
            ],
        )
        await self._look(command)

    async def _keep(self, command: Command) -> None:
        """Nothing changes at the period's end."""
        known = await self._live(command)
        if known is None:
            return
        await self._release(known, command)
        if known.cancels_at is not None:
            await self._api.call(
                self._api.v1.subscriptions.update_async, str(known.subscription_id), cancel_at_period_end=False
            )
        await self._look(command)

    async def _cancel(self, command: Command) -> None:
        """The subscription ends with the period."""
        known = await self._live(command)
        if known is None:
            return
        await self._release(known, command)
        await self._api.call(
            self._api.v1.subscriptions.update_async,
            str(known.subscription_id),
            key=command.key,
            cancel_at_period_end=True,
        )
        await self._look(command)

    async def _items(self, command: Command) -> None:
        """`at`: the items as the terms say since then; the difference is charged with the next invoice."""
        known = await self._live(command)
        if known is None or known.plan is None or known.version is None:
            return
        wanted = await self._wanted(known, (known.plan, known.version))
        if not differs(known, wanted):
            return
        await self._api.call(
            self._api.v1.subscriptions.update_async,
            str(known.subscription_id),
            key=command.key,
            items=item_params(known.items, wanted, await self._prices.ids(wanted)),
            proration_behavior="create_prorations",
            proration_date=max(command.params["at"], seconds(known.period_begin or command.created_at)),
        )
        await self._look(command)

    async def _subscribe(self, command: Command) -> None:
        """`plan`, `version`: a subscription from now on, paid by the card on file; at the end of a trial."""
        # One that was made and of which the answer was lost is found there.
        await self._look(command)
        known = await self._known(command)
        if known is None or known.open:
            return
        customer = await self._customers.ensure(command.organization_id)
        plan = (command.params["plan"], command.params["version"])
        now = self._deps.clock.now()
        wanted = await self._wanted(known, plan)
        ids = await self._prices.ids(wanted)
        await self._api.call(
            self._api.v1.subscriptions.create_async,
            key=command.key,
            customer=customer,
            items=[_phase_item(ids[each.price.key], each.quantity) for each in wanted],
            off_session=True,
            **first_period(now),
            metadata=subscription_metadata(known, plan),
            **tax_params(self._deps),
        )
        await self._look(command)

    async def _end(self, command: Command) -> None:
        """The app is gone: end the subscription now, with what was used and less what was paid for and not used."""
        known = await self._known(command)
        if known is None or not known.open:
            return
        await self._release(known, command)
        if self.before_end is not None:
            await self.before_end(known)
        await self._api.call(
            self._api.v1.subscriptions.cancel_async,
            str(known.subscription_id),
            key=command.key,
            invoice_now=True,
            prorate=True,
        )
        await self._look(command)

    async def _duplicate(self, command: Command) -> None:
        """`subject`: a subscription too many. It ends, and what was paid for it becomes the customer's balance."""
        v1 = self._api.v1
        try:
            gone = await self._api.call(v1.subscriptions.retrieve_async, command.subject)
            if gone["status"] not in ("canceled", "incomplete_expired"):
                gone = await self._api.call(v1.subscriptions.cancel_async, command.subject, key=command.key)
        except StripeRefused as error:
            if not error.missing:
                raise
            return
        paid = 0
        async for invoice in self._api.every(v1.invoices.list_async, subscription=command.subject):
            if invoice["status"] in ("draft", "open"):
                await self._void(invoice)
            paid += invoice["amount_paid"]
        if paid:
            words = "A second subscription for the same app, which was ended"
            await self._give(command, gone["customer"], paid, gone["currency"], words)
        await self._look(command)

    async def _void(self, invoice: Object) -> None:
        v1 = self._api.v1
        if invoice["status"] == "draft":
            await self._api.call(v1.invoices.delete_async, invoice["id"])
        else:
            await self._api.call(v1.invoices.void_invoice_async, invoice["id"])

    # -- money -------------------------------------------------------------------------------------------------------

    async def _credit(self, command: Command) -> None:
        """`amount`, `text`; `subject` is the grant: the customer's balance at Stripe, taken off the next invoices."""
        customer = await self._customers.ensure(command.organization_id)
        currency = load_catalog().currency
        await self._give(command, customer, command.params["amount"], currency, command.params["text"])
        await self._customers.refresh(customer)

    async def _give(self, command: Command, customer: str, amount: int, currency: str, words: str) -> None:
        v1 = self._api.v1
        if command.attempts > 1:
            async for entry in self._api.every(v1.customers.balance_transactions.list_async, customer):
                if (entry.get("metadata") or {}).get("natter_command") == str(command.id):
                    return
        await self._api.call(
            v1.customers.balance_transactions.create_async,
            customer,
            key=f"{command.key}-balance",
            amount=-amount,
            currency=currency,
            description=words[:350],
            metadata={"natter_command": str(command.id)},
        )

    async def _adjust(self, command: Command) -> None:
        """`amount`, `text`, `begin`, `end`; `subject` says for what: an item on the next invoice."""
        customer = await self._customers.ensure(command.organization_id)
        v1 = self._api.v1
        if command.attempts > 1:
            async for item in self._api.every(v1.invoice_items.list_async, customer=customer):
                if (item.get("metadata") or {}).get("natter_command") == str(command.id):
                    return
        known = await self._known(command)
        on = {"subscription": known.subscription_id} if known is not None and known.live else {}
        await self._api.call(
            v1.invoice_items.create_async,
            key=command.key,
            customer=customer,
            amount=command.params["amount"],
            currency=load_catalog().currency,
            description=command.params["text"][:350],
            period={"start": command.params["begin"], "end": command.params["end"]},
            metadata={"natter_command": str(command.id), "natter_adjustment": command.subject},
            **on,
        )

    async def _coupon(self, command: Command) -> None:
        """`code`: taken off the subscription's invoices from now on."""
        known = await self._live(command)
        if known is None:
            return
        code = f"natter_{command.params['code']}"
        found = await self._api.call(
            self._api.v1.subscriptions.retrieve_async, str(known.subscription_id), expand=["discounts"]
        )
        there = [each for each in found["discounts"] if isinstance(each, dict)]
        if any(_coupon_of(each) == code for each in there):
            # It came with the checkout.
            return
        kept = [each if isinstance(each, str) else each["id"] for each in found["discounts"]]
        await self._api.call(
            self._api.v1.subscriptions.update_async,
            str(known.subscription_id),
            key=command.key,
            discounts=[*({"discount": each} for each in kept), {"coupon": code}],
        )

    # -- invoices ----------------------------------------------------------------------------------------------------

    async def _hold(self, command: Command) -> None:
        """`subject`: a draft that waits for its usage."""
        await self._draft(command, self._api.v1.invoices.update_async, auto_advance=False)

    async def _finalize(self, command: Command) -> None:
        """`subject`: a draft whose usage is complete; it is charged at once."""
        v1 = self._api.v1
        await self._draft(command, v1.invoices.finalize_invoice_async, auto_advance=True)
        found = await self._api.call(v1.invoices.retrieve_async, command.subject)
        if found["status"] == "open" and not found.get("attempted"):
            try:
                await self._api.call(v1.invoices.pay_async, command.subject, key=f"{command.key}-pay")
            except (PaymentRefused, StripeRefused) as error:
                # Stripe tries again as it is set up to; what is not paid is seen on the invoice.
                _log.info("stripe.not_paid", invoice=command.subject, error=error.message)

    async def _draft(self, command: Command, service: Any, **params: Any) -> None:
        try:
            await self._api.call(service, command.subject, key=command.key, **params)
        except StripeRefused:
            # It is no draft any more: somebody else was faster.
            found = await self._api.call(self._api.v1.invoices.retrieve_async, command.subject)
            if found["status"] == "draft":
                raise

    async def _forget(self, command: Command) -> None:
        """`subject`: a customer whose organization is erased. Stripe keeps invoices, and neither card nor address."""
        try:
            await self._api.call(self._api.v1.customers.delete_async, command.subject)
        except StripeRefused as error:
            if not error.missing:
                raise

    # -- what they share ---------------------------------------------------------------------------------------------

    async def _known(self, command: Command) -> Seen | None:
        if command.app_id is None:
            return None
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            return await seen(uow.session, command.app_id)

    async def _live(self, command: Command) -> Seen | None:
        """The app's subscription as it is now: items and schedules have ids, and those must be right."""
        assert command.app_id is not None
        await self._mirror.refresh(command.app_id, because=command.kind)
        known = await self._known(command)
        return known if known is not None and known.live else None

    async def _look(self, command: Command) -> None:
        if command.app_id is not None:
            await self._mirror.refresh(command.app_id, because=command.kind)

    async def _wanted(self, known: Seen, plan: tuple[str, int]) -> list[Wanted]:
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            wanted = await agreed_items(uow.session, known.app_id, known.slot, now=self._deps.clock.now(), plan=plan)
        if wanted is None:
            raise StripeRefused("The app has no terms: nothing can be sold for it.")
        return wanted

    async def _release(self, known: Seen, command: Command) -> None:
        if known.schedule_id is None:
            return
        try:
            await self._api.call(self._api.v1.subscription_schedules.release_async, known.schedule_id)
        except StripeRefused:
            # Released or at its end meanwhile; then nothing of it is to come.
            found = await self._api.call(self._api.v1.subscription_schedules.retrieve_async, known.schedule_id)
            if found["status"] in ("active", "not_started"):
                raise


def differs(known: Seen, wanted: list[Wanted]) -> bool:
    """Whether a subscription has other items than it should."""
    has = sorted((item["key"], item["quantity"] or 0) for item in known.items)
    return has != sorted((each.price.key, each.quantity or 0) for each in wanted)


def item_params(items: list[dict[str, Any]], wanted: list[Wanted], ids: dict[str, str]) -> list[dict[str, Any]]:
    """From the items that are there to those that should be: what is for the same thing keeps its item."""
    params, left = [], {_place(item["meter"], item["addon"]): item for item in items}
    for each in wanted:
        spec = each.price
        found = left.pop(_place(spec.meter, spec.plan if spec.addon else None), None)
        quantity = {} if each.quantity is None else {"quantity": each.quantity}
        if found is None:
            params.append({"price": ids[spec.key], **quantity})
        elif found["price"] != ids[spec.key] or (found["quantity"] or 0) != (each.quantity or 0):
            params.append({"id": found["id"], "price": ids[spec.key], **quantity})
    # Usage that has no price by the new terms costs nothing.
    gone = ({"deleted": True, **({"clear_usage": True} if item["meter"] else {})} for item in left.values())
    return [*params, *({"id": item["id"], **how} for item, how in zip(left.values(), gone, strict=True))]


def _place(meter: str | None, addon: str | None) -> tuple[str, str]:
    return ("meter", meter) if meter else ("addon", addon) if addon else ("base", "")


def _coupon_of(discount: Object) -> str | None:
    coupon = (discount.get("source") or {}).get("coupon") or discount.get("coupon")
    return coupon["id"] if isinstance(coupon, dict) else coupon


def _phase_item(price: str, quantity: int | None) -> dict[str, Any]:
    return {"price": price} if quantity is None else {"price": price, "quantity": quantity}


def first_period(now: datetime) -> dict[str, Any]:
    """Periods begin on the first, UTC; the days until then are charged in part. In Stripe's classic billing mode all of
    a period's usage is charged at the price that it ends with, as our terms say; in its flexible one, the default, an
    upgrade would charge what was used before it by the smaller plan."""
    return {
        "billing_cycle_anchor": seconds(period_end(now)),
        "proration_behavior": "create_prorations",
        "billing_mode": {"type": "classic"},
    }


def subscription_metadata(known: Seen, plan: tuple[str, int]) -> dict[str, str]:
    """By which a subscription is known to be an app's."""
    return {
        "natter_app": format_id("app", known.app_id),
        "natter_organization": format_id("org", known.organization_id),
        "natter_plan": f"{plan[0]}@{plan[1]}",
    }


def tax_params(deps: Deps) -> dict[str, Any]:
    """Whether Stripe computes taxes."""
    return {"automatic_tax": {"enabled": True}} if deps.settings.stripe_tax else {}
