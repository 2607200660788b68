"""`Provider` by Stripe: what people click. Reads are of the mirror; calls have a short time-out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from billing.plans import Plan, load_catalog
from billing.provider.port import (
    AppStanding,
    NoSubscription,
    Preview,
    PreviewLine,
    ProviderAway,
    ProviderInvoice,
    Standing,
)
from billing.provider.stripe import invoices
from billing.provider.stripe.catalog import PriceList, Wanted
from billing.provider.stripe.checkout import Checkout
from billing.provider.stripe.client import HASTE, Object, StripeApi, seconds
from billing.provider.stripe.commands import Commands, ask, first_period, item_params
from billing.provider.stripe.customers import Customers
from billing.provider.stripe.memory import away_since, note_away
from billing.provider.stripe.subscriptions import Mirror, Seen, agreed_items, open_row, seen
from billing.terms.service import period_end
from control_plane.apps import repository
from control_plane.context import Actor, Deps
from control_plane.members import Member
from kernel.errors import Forbidden, NotFound

_CUSTOMER = text(
    "select customer_id, card, balance from control.stripe_customers where organization_id = :organization"
)
_APPS = text(
    """
    select s.app_id, s.plan, s.version, s.status, s.period_begin, s.period_end, s.next_plan, s.cancels_at,
        s.unpaid_since, exists (select from control.stripe_commands c where c.app_id = s.app_id
            and c.state = 'pending' and c.kind in ('change', 'schedule', 'cancel', 'keep')) as waiting
    from control.stripe_subscriptions s where s.organization_id = :organization order by s.app_id
    """
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What provider and worker are made of, on one client."""

    api: StripeApi
    prices: PriceList
    customers: Customers
    mirror: Mirror
    checkout: Checkout
    commands: Commands


def parts_of(deps: Deps, *, patience: float) -> Parts:
    """`patience` in seconds. Raises `SettingsError` without a key."""
    api = StripeApi(deps.settings, seconds=patience)
    prices, customers, mirror = PriceList(deps, api), Customers(deps, api), Mirror(deps, api)
    checkout = Checkout(deps, api, prices, customers)
    return Parts(api, prices, customers, mirror, checkout, Commands(deps, api, prices, mirror, customers))


class StripeProvider:
    """Implements `Provider`. Raises `SettingsError` when made without a key."""

    takes_money = True

    def __init__(self, deps: Deps) -> None:
        deps.settings.require("stripe_secret_key", "stripe_webhook_secrets")
        self._deps = deps
        self._parts = parts_of(deps, patience=HASTE)

    async def checkout(
        self,
        member: Member,
        app_id: UUID,
        plan_id: str,
        *,
        return_url: str,
        cancel_url: str | None = None,
        request_id: str | None = None,
    ) -> str:
        """See `Provider`."""
        plan = await self._plan(member, app_id, plan_id)
        if not plan.price:
            raise NoSubscription(f"{plan.name} costs nothing: there is nothing to pay.")
        actor = Actor(member.actor, request_id)
        async with self._reaching():
            return await self._parts.checkout.open(
                actor, app_id, member.organization_id, plan, return_url=return_url, cancel_url=cancel_url
            )

    async def portal(self, member: Member, *, return_url: str, request_id: str | None = None) -> str:
        """See `Provider`."""
        member.require("billing.manage")
        async with self._reaching():
            customer = await self._parts.customers.ensure(member.organization_id)
            made = await self._parts.api.call(
                self._parts.api.v1.billing_portal.sessions.create_async, customer=customer, return_url=return_url
            )
        return str(made["url"])

    async def preview(self, member: Member, app_id: UUID, plan_id: str) -> Preview:
        """See `Provider`."""
        plan = await self._plan(member, app_id, plan_id)
        now, catalog = self._deps.clock.now().replace(microsecond=0), load_catalog()
        known = await self._known(member, app_id)
        current = known is not None and known.live
        end = known.period_end if known is not None and current and known.period_end else period_end(now)
        if not plan.price or (current and not _up(known, plan)):
            return Preview(
                plan_id=plan.id, lines=(), due_now=0, tax=0, monthly=plan.price, currency=catalog.currency,
                takes_effect=end if current else now, at=now,
            )  # fmt: skip
        async with self._reaching():
            customer = await self._parts.customers.ensure(member.organization_id)
            async with self._deps.database.unit_of_work() as uow:
                row = known or await open_row(uow.session, app_id, member.organization_id, now=now)
                wanted = await agreed_items(uow.session, app_id, row.slot, now=now, plan=(plan.id, plan.version))
            if wanted is None:
                raise NotFound()
            ids = await self._parts.prices.ids(wanted)
            params: dict[str, Any] = {"customer": customer}
            if current and known is not None:
                params["subscription"] = known.subscription_id
                params["subscription_details"] = {
                    "items": item_params(known.items, wanted, ids),
                    "proration_behavior": "always_invoice",
                    "proration_date": seconds(now),
                }
            else:
                params["subscription_details"] = {"items": _lines(wanted, ids), **first_period(now)}
            shown = await self._parts.api.call(self._parts.api.v1.invoices.create_preview_async, **params)
        lines = tuple(_preview_line(line) for line in shown["lines"]["data"] if line["amount"])
        return Preview(
            plan_id=plan.id,
            lines=lines,
            due_now=shown["total"],
            tax=sum(tax["amount"] for tax in shown.get("total_taxes") or []),
            monthly=plan.price,
            currency=shown["currency"],
            takes_effect=now,
            at=now,
            checkout=not current,
        )

    async def change(
        self,
        member: Member,
        app_id: UUID,
        plan_id: str,
        *,
        at: datetime | None = None,
        request_id: str | None = None,
    ) -> datetime:
        """See `Provider`."""
        plan = await self._plan(member, app_id, plan_id)
        known = await self._subscribed(member, app_id)
        if not plan.price:
            return await self.cancel(member, app_id, request_id=request_id)
        now = self._deps.clock.now()
        params: dict[str, Any] = {"plan": plan.id, "version": plan.version}
        if _up(known, plan):
            priced = (
                at if at is not None and known.period_begin is not None and known.period_begin <= at <= now else now
            )
            await self._ask(member, app_id, "change", params | {"at": seconds(priced)}, request_id)
            return priced
        await self._ask(member, app_id, "schedule", params, request_id)
        return known.period_end or period_end(now)

    async def keep(self, member: Member, app_id: UUID, *, request_id: str | None = None) -> bool:
        """See `Provider`."""
        member.require("billing.manage")
        known = await self._subscribed(member, app_id)
        if known.next_plan is None and known.cancels_at is None:
            return False
        await self._ask(member, app_id, "keep", {}, request_id)
        return True

    async def cancel(self, member: Member, app_id: UUID, *, request_id: str | None = None) -> datetime:
        """See `Provider`."""
        member.require("billing.manage")
        known = await self._subscribed(member, app_id)
        await self._ask(member, app_id, "cancel", {}, request_id)
        return known.period_end or period_end(self._deps.clock.now())

    async def invoices(self, member: Member, *, limit: int = 24) -> list[ProviderInvoice]:
        """See `Provider`."""
        member.require("usage.read")
        async with self._deps.read(member) as uow:
            return await invoices.listed(uow.session, member.organization_id, limit=limit)

    async def invoice(self, member: Member, invoice_id: str) -> ProviderInvoice:
        """See `Provider`."""
        member.require("usage.read")
        async with self._deps.read(member) as uow:
            return await invoices.one(uow.session, member.organization_id, invoice_id)

    async def standing(self, member: Member) -> Standing:
        """See `Provider`."""
        member.require("usage.read")
        async with self._deps.read(member) as uow:
            values = {"organization": member.organization_id}
            customer = (await uow.session.execute(_CUSTOMER, values)).one_or_none()
            apps = [_standing(row) for row in await uow.session.execute(_APPS, values)]
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            away = await away_since(uow.session)
        return Standing(
            takes_money=True,
            has_card=customer is not None and customer.card is not None,
            card=customer.card if customer is not None else None,
            balance=customer.balance if customer is not None else 0,
            currency=load_catalog().currency,
            away_since=away,
            apps=tuple(apps),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._parts.api.close()

    async def _plan(self, member: Member, app_id: UUID, plan_id: str) -> Plan:
        member.require("billing.manage")
        async with self._deps.read(member) as uow:
            app = await repository.get(uow.session, app_id)
        if app.status == "deleted":
            raise NotFound()
        plan = load_catalog().newest(plan_id)
        if plan.price is None:
            raise Forbidden(f"{plan.name} is by contract. Write to us, and we put the app on it.")
        return plan

    async def _known(self, member: Member, app_id: UUID) -> Seen | None:
        async with self._deps.read(member) as uow:
            await repository.get(uow.session, app_id)
            return await seen(uow.session, app_id)

    async def _subscribed(self, member: Member, app_id: UUID) -> Seen:
        known = await self._known(member, app_id)
        if known is None or not known.live:
            raise NoSubscription("The app has no subscription: choose a plan and pay for it first.")
        return known

    async def _ask(
        self, member: Member, app_id: UUID, kind: str, params: dict[str, Any], request_id: str | None
    ) -> None:
        """Write it down, then try at once: if Stripe is away, the worker goes on."""
        async with self._deps.change(Actor(member.actor, request_id)) as ctx:
            command = await ask(ctx, member.organization_id, app_id, kind, params)
        assert command is not None
        try:
            async with self._reaching():
                await self._parts.commands.run(command)
        except ProviderAway as error:
            raise ProviderAway(kept=True) from error

    @asynccontextmanager
    async def _reaching(self) -> AsyncIterator[None]:
        """Note it when Stripe does not answer: other pages say so without asking."""
        try:
            yield
        except ProviderAway:
            await note_away(self._deps, away=True)
            raise


def _up(known: Seen | None, plan: Plan) -> bool:
    """A plan of the same or a higher place begins now."""
    catalog = load_catalog()
    return known is None or known.plan not in catalog.ids() or catalog.rank(plan.id) >= catalog.rank(known.plan)


def _lines(wanted: list[Wanted], ids: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"price": ids[each.price.key], **({} if each.quantity is None else {"quantity": each.quantity})}
        for each in wanted
    ]


def _preview_line(line: Object) -> PreviewLine:
    period = line["period"]
    begin, end = (datetime.fromtimestamp(period[name], UTC) for name in ("start", "end"))
    return PreviewLine(line.get("description") or "", line["amount"], begin, end)


def _standing(row: Any) -> AppStanding:
    return AppStanding(
        app_id=row.app_id,
        plan_id=row.plan,
        version=row.version,
        status=row.status,
        period_begin=row.period_begin,
        period_end=row.period_end,
        next_plan=row.next_plan or ("free" if row.cancels_at is not None else None),
        cancels_at=row.cancels_at,
        unpaid_since=row.unpaid_since,
        waiting=row.waiting,
    )
