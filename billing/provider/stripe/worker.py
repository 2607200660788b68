"""The worker's side: everything between Stripe and our rows that nobody waits for.

One loop, in this order: events, commands, usage, then what is looked at from time to time. When Stripe is away the
round ends and the next comes later; rows keep everything, and nothing else in the process waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from billing.alerts.letters import system_context
from billing.money import amount_text
from billing.plans import load_catalog
from billing.provider.port import ProviderAway
from billing.provider.stripe.client import PATIENCE, StripeRefused, seconds
from billing.provider.stripe.commands import ask
from billing.provider.stripe.customers import organization_of
from billing.provider.stripe.inbox import Inbox, note
from billing.provider.stripe.invoices import Invoices
from billing.provider.stripe.memory import away_since, note_away, recall, remember
from billing.provider.stripe.meters import Meters
from billing.provider.stripe.provider import parts_of
from billing.provider.stripe.reconcile import TOPIC, Check, Reconciler
from billing.provider.stripe.settle import Settler
from billing.provider.stripe.subscriptions import SYSTEM, app_of, every_seen
from control_plane import mail
from control_plane.context import Deps
from kernel.clock import rfc3339
from kernel.db import UnitOfWork
from kernel.logging import get_logger
from kernel.outbox import Handler

PERIOD: Final = 1.0
_AWAY_PERIOD: Final = 10.0
_LISTED: Final = "events listed"
_RECONCILED: Final = "reconciled"
_OVERLAP: Final = timedelta(minutes=30)
_REACH: Final = timedelta(days=29)
"""Stripe lists the events of the last 30 days."""

_STAFF = text("select email from control.accounts where staff order by email")
_log = get_logger(__name__)


class StripeWorker:
    """Runs in `natter worker`; any number of them may."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._parts = parts_of(deps, patience=PATIENCE)
        self.invoices = Invoices(deps, self._parts.api)
        self.meters = Meters(deps, self._parts.api, self._parts.prices)
        self.inbox = Inbox(deps, self.handle)
        self.settler = Settler(deps)
        self.reconciler = Reconciler(deps, self.meters)
        self.commands = self._parts.commands
        self.commands.before_end = self.meters.flush
        self.prices = self._parts.prices
        self._next: dict[str, datetime] = {}
        self.failed: dict[str, Exception] = {}
        """What failed last of what is done from time to time, by name."""

    def handlers(self) -> Mapping[str, Handler]:
        """By topic, for the control plane's outbox runner."""
        return {TOPIC: self.tell_staff}

    async def step(self) -> int:
        """One round; returns how much was done. Raises `ProviderAway`, having noted since when."""
        before = self._parts.api.answers
        try:
            done = await self._round()
            async with self._deps.database.unit_of_work(read_only=True) as uow:
                away = await away_since(uow.session) is not None
            if away:
                if self._parts.api.answers == before:
                    # There was nothing to ask; so ask for something.
                    await self._parts.api.call(self._parts.api.v1.events.list_async, limit=1)
                await note_away(self._deps, away=False)
        except ProviderAway:
            await note_away(self._deps, away=True)
            raise
        return done

    async def run(self) -> None:
        """Step every second, at once while there is work. Runs until it is cancelled."""
        while True:
            wait = PERIOD
            try:
                if await self.step():
                    continue
            except ProviderAway:
                wait = _AWAY_PERIOD
            except Exception:
                _log.exception("stripe.round_failed")
            await asyncio.sleep(wait)

    async def close(self) -> None:
        """Close its connections."""
        await self._parts.api.close()

    async def _round(self) -> int:
        await self._now_and_then("sync", timedelta(days=1), self._sync)
        await self._now_and_then("list", timedelta(hours=1), self.list_missed)
        done = await self.inbox.step()
        done += await self.commands.step()
        done += await self._now_and_then("plan", timedelta(minutes=1), self.meters.plan)
        done += await self.meters.send()
        await self._now_and_then("resolve", timedelta(minutes=5), self.meters.resolve)
        done += await self._now_and_then("settle", timedelta(minutes=1), self.settler.step)
        await self._now_and_then("look", timedelta(hours=6), self.look_at_all)
        await self._now_and_then("reconcile", timedelta(hours=1), self._reconcile_daily)
        return done

    async def _now_and_then(self, name: str, period: timedelta, deed: Callable[[], Awaitable[Any]]) -> int:
        now = self._deps.clock.now()
        if name in self._next and now < self._next[name]:
            return 0
        try:
            done = await deed()
        except ProviderAway:
            raise
        except Exception as error:
            # One thing that fails, such as a plan file that Stripe cannot have, must not keep the others from it.
            _log.exception("stripe.failed", what=name)
            self.failed[name] = error
            done = 0
        self._next[name] = now + period
        return done if isinstance(done, int) else 0

    # -- events ------------------------------------------------------------------------------------------------------

    async def handle(self, kind: str, object_id: str) -> None:
        """Look at what an event is about. Kinds that mean nothing to us are done at once."""
        if not object_id:
            return
        if kind.startswith(("customer.subscription.", "subscription_schedule.")):
            await self._subscription(kind, object_id)
        elif kind.startswith("invoice.") and object_id.startswith("in_"):
            subscription = await self.invoices.refresh(object_id)
            if subscription is not None:
                await self._subscription(kind, subscription)
        elif kind.startswith("checkout.session."):
            await self._page(object_id)
        elif kind in ("customer.created", "customer.updated", "customer.deleted"):
            await self._customer(object_id)
        elif kind.startswith("payment_method."):
            await self._payment_method(object_id)
        elif kind == "v1.billing.meter.error_report_triggered":
            _log.error("stripe.meter_errors", meter=object_id)
            self._next.pop("reconcile", None)

    async def _subscription(self, kind: str, object_id: str) -> None:
        v1 = self._parts.api.v1
        try:
            if object_id.startswith("sub_sched"):
                schedule = await self._parts.api.call(v1.subscription_schedules.retrieve_async, object_id)
                object_id = schedule.get("subscription") or schedule.get("released_subscription") or ""
                if not object_id:
                    return
            found = await self._parts.api.call(v1.subscriptions.retrieve_async, object_id)
        except StripeRefused as error:
            if error.missing:
                return
            raise
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            app_id = await app_of(uow.session, found)
            organization_id = await organization_of(uow.session, found["customer"])
        if app_id is None or organization_id is None:
            return
        extra = await self._parts.mirror.refresh(app_id, because=kind)
        if kind == "customer.subscription.created":
            await self._parts.checkout.close_pages(app_id)
            await self._parts.customers.refresh(found["customer"])
        if extra:
            async with self._deps.database.unit_of_work() as uow:
                ctx = system_context(self._deps, uow, actor=SYSTEM)
                for each in extra:
                    await ask(ctx, organization_id, app_id, "duplicate", {}, subject=each["id"])

    async def _page(self, object_id: str) -> None:
        app_id = await self._parts.checkout.take_in(object_id)
        if app_id is not None:
            await self._parts.mirror.refresh(app_id, because="checkout")

    async def _customer(self, customer_id: str) -> None:
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            if await organization_of(uow.session, customer_id) is None:
                return
        try:
            await self._parts.customers.refresh(customer_id)
        except StripeRefused as error:
            if not error.missing:
                raise

    async def _payment_method(self, object_id: str) -> None:
        try:
            method = await self._parts.api.call(self._parts.api.v1.payment_methods.retrieve_async, object_id)
        except StripeRefused as error:
            if error.missing:
                return
            raise
        if method.get("customer"):
            await self._customer(method["customer"])

    async def list_missed(self) -> int:
        """Ask for events since the last listing, so that one that never called is found. Returns how many were new."""
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            last = await recall(uow.session, _LISTED)
        since = max(datetime.fromisoformat(last) - _OVERLAP if last else now - _REACH, now - _REACH)
        fresh = 0
        listed = self._parts.api.every(self._parts.api.v1.events.list_async, created={"gte": seconds(since)})
        found = [event async for event in listed]
        async with self._deps.database.unit_of_work() as uow:
            for event in reversed(found):
                fresh += await note(uow.session, event, now=now)
            await remember(uow.session, _LISTED, rfc3339(now), now=now)
        if fresh:
            _log.warning("stripe.missed_events", count=fresh)
        return fresh

    # -- from time to time -------------------------------------------------------------------------------------------

    async def _sync(self) -> None:
        await self.prices.sync()

    async def look_at_all(self) -> None:
        """Look at every subscription, whatever was heard or not."""
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            known = await every_seen(uow.session)
        for each in known:
            if each.customer_id is not None:
                await self._parts.mirror.refresh(each.app_id, because="round")

    async def reconcile(self) -> list[Check]:
        """Compare everything, and remember that it was done."""
        checks = await self.reconciler.run()
        async with self._deps.database.unit_of_work() as uow:
            now = self._deps.clock.now()
            await remember(uow.session, _RECONCILED, rfc3339(now), now=now)
        return checks

    async def _reconcile_daily(self) -> None:
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            last = await recall(uow.session, _RECONCILED)
        if last is None or datetime.fromisoformat(last) <= self._deps.clock.now() - timedelta(days=1):
            await self.reconcile()

    async def tell_staff(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """A difference, to everybody of staff."""
        ctx, currency = system_context(self._deps, uow), load_catalog().currency
        money = payload["what"].endswith("amount")
        values = tuple(
            (name, amount_text(payload[name], currency) if money else f"{payload[name]:,}")
            for name in ("ledger", "stripe", "invoice")
            if payload[name] is not None
        )
        for to in (await uow.session.execute(_STAFF)).scalars().all():
            letter = mail.billing_difference(
                self._deps.settings,
                to=to,
                app_id=payload["app_id"],
                month=payload["month"],
                what=payload["what"],
                values=values,
            )
            mail.post(ctx, letter)
