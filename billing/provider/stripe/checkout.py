"""Checkout pages: one open page for an app, and what becomes of it."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from billing.alerts.letters import system_context
from billing.coupons import redeemed
from billing.plans import Plan, load_catalog
from billing.provider.port import AlreadySubscribed
from billing.provider.stripe.catalog import PriceList
from billing.provider.stripe.client import Object, StripeApi, StripeRefused, moment, seconds
from billing.provider.stripe.commands import ask, first_period, subscription_metadata, tax_params
from billing.provider.stripe.customers import Customers
from billing.provider.stripe.subscriptions import SYSTEM, agreed_items, open_row
from billing.terms import in_force, load
from billing.terms.service import end_trial
from control_plane import audit
from control_plane.context import Actor, Context, Deps
from kernel.clock import month_of
from kernel.errors import Conflict, InvalidInput
from kernel.ids import format_id, parse_id

LASTS: Final = timedelta(hours=1)
"""How long a page can be paid on."""
_LEFT: Final = timedelta(minutes=5)
"""A page that ends sooner is not shown to anybody any more."""

_OPEN = text(
    "select session_id, plan, version, mode, url, expires_at from control.stripe_sessions "
    "where app_id = :app and status = 'open' order by created_at"
)
_KEEP = text(
    """
    insert into control.stripe_sessions
        (session_id, app_id, organization_id, mode, plan, version, url, status, expires_at, created_at)
    values (:id, :app, :organization, :mode, :plan, :version, :url, 'open', :expires, :now)
    on conflict do nothing
    """
)
_STATUS = text(
    "update control.stripe_sessions set status = :status where session_id = :id and status = 'open' returning app_id"
)


class Checkout:
    """Opens pages, closes those that must not be paid on any more, and takes in what was filled in."""

    def __init__(self, deps: Deps, api: StripeApi, prices: PriceList, customers: Customers) -> None:
        self._deps = deps
        self._api = api
        self._prices = prices
        self._customers = customers

    async def open(
        self,
        actor: Actor,
        app_id: UUID,
        organization_id: UUID,
        plan: Plan,
        *,
        return_url: str,
        cancel_url: str | None = None,
    ) -> str:
        """The address of the app's page for that plan; the one that is open already, if there is one.

        Raises `AlreadySubscribed`, `ProviderAway`.
        """
        customer = await self._customers.ensure(organization_id)
        now = self._deps.clock.now()
        async with self._deps.change(actor) as ctx:
            known = await open_row(ctx.session, app_id, organization_id, now=now)
            if known.live:
                raise AlreadySubscribed("The app has a subscription: change its plan instead.")
            pages = (await ctx.session.execute(_OPEN, {"app": app_id})).all()
            terms = in_force(await load(ctx.session, app_id), now, load_catalog())
            mode = "setup" if terms is not None and terms.trial_ends_at is not None else "subscription"
            wanted = await agreed_items(ctx.session, app_id, known.slot, now=now, plan=(plan.id, plan.version))
            month = month_of(now)
            coupons = [
                each.coupon.code for each in await redeemed(ctx.session, organization_id, cut=now) if each.covers(month)
            ]
            await audit.record(
                ctx,
                "checkout.opened",
                format_id("app", app_id),
                organization_id=organization_id,
                app_id=app_id,
                plan=f"{plan.id}@{plan.version}",
            )
            # The key of the call, kept by the page's row once it is there; a page that is lost cannot be paid on.
            key = f"natter-checkout-{ctx.ids.uuid7()}"
        for page in pages:
            if (page.plan, page.version, page.mode) == (plan.id, plan.version, mode) and page.expires_at - now > _LEFT:
                return str(page.url)
        for page in pages:
            await self.expire(page.session_id)
        if wanted is None:
            raise InvalidInput("The app has no terms: nothing can be sold for it.", field="plan")
        noted = subscription_metadata(known, (plan.id, plan.version))
        params: dict[str, Any] = {
            "mode": mode,
            "customer": customer,
            "client_reference_id": format_id("app", app_id),
            "metadata": noted,
            "success_url": return_url,
            "cancel_url": cancel_url or return_url,
            "expires_at": seconds(now + LASTS),
        }
        if mode == "subscription":
            ids = await self._prices.ids(wanted)
            params |= {
                "line_items": [
                    {"price": ids[each.price.key], **({} if each.quantity is None else {"quantity": each.quantity})}
                    for each in wanted
                ],
                "subscription_data": {**first_period(now), "metadata": noted},
                "tax_id_collection": {"enabled": True},
                "customer_update": {"name": "auto", "address": "auto"},
                "billing_address_collection": "required",
                "payment_method_collection": "always",
                **({"discounts": [{"coupon": f"natter_{coupons[0]}"}]} if coupons else {}),
                **tax_params(self._deps),
            }
        else:
            params |= {"currency": load_catalog().currency}
        made = await self._api.call(self._api.v1.checkout.sessions.create_async, key=key, **params)
        values = {
            "id": made["id"],
            "app": app_id,
            "organization": organization_id,
            "mode": mode,
            "plan": plan.id,
            "version": plan.version,
            "url": made["url"],
            "expires": moment(made["expires_at"]),
            "now": now,
        }
        async with self._deps.database.unit_of_work() as uow:
            await uow.session.execute(_KEEP, values)
        return str(made["url"])

    async def expire(self, session_id: str) -> None:
        """Let nobody pay on it any more."""
        try:
            page = await self._api.call(self._api.v1.checkout.sessions.expire_async, session_id)
        except StripeRefused:
            page = await self._api.call(self._api.v1.checkout.sessions.retrieve_async, session_id)
        async with self._deps.database.unit_of_work() as uow:
            await uow.session.execute(_STATUS, {"id": session_id, "status": page["status"]})

    async def close_pages(self, app_id: UUID) -> None:
        """The app has its subscription: expire the pages that are open."""
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            pages = [row.session_id for row in await uow.session.execute(_OPEN, {"app": app_id})]
        for session_id in pages:
            await self.expire(session_id)

    async def take_in(self, session_id: str) -> UUID | None:
        """What became of a page; returns the app it is for, if it is one of ours."""
        page = await self._api.call(self._api.v1.checkout.sessions.retrieve_async, session_id)
        try:
            app_id = parse_id("app", (page.get("metadata") or {}).get("natter_app", ""))
        except InvalidInput:
            return None
        if page["status"] == "complete" and page["mode"] == "setup":
            await self._card(page, app_id)
        async with self._deps.database.unit_of_work() as uow:
            if page["status"] != "open":
                await uow.session.execute(_STATUS, {"id": session_id, "status": page["status"]})
        return app_id

    async def _card(self, page: Object, app_id: UUID) -> None:
        """A card for the time after the trial: it is the customer's from now on, and the plan goes on."""
        v1, noted = self._api.v1, page["metadata"]
        intent = await self._api.call(v1.setup_intents.retrieve_async, page["setup_intent"])
        await self._api.call(
            v1.customers.update_async,
            page["customer"],
            invoice_settings={"default_payment_method": intent["payment_method"]},
        )
        plan, _, version = noted["natter_plan"].partition("@")
        async with self._deps.database.unit_of_work() as uow:
            ctx = system_context(self._deps, uow, actor=SYSTEM)
            await keep_trial(ctx, app_id, page["id"], plan, int(version))


async def keep_trial(ctx: Context, app_id: UUID, page: str, plan: str, version: int) -> None:
    """The plan that is tried is paid for from the trial's end on; nothing if the trial is over, or told before."""
    terms = in_force(await load(ctx.session, app_id), ctx.now, load_catalog())
    if terms is None or terms.trial_ends_at is None:
        return
    asked = await ctx.session.scalar(
        text("select 1 from control.stripe_commands where kind = 'subscribe' and subject = :page"), {"page": page}
    )
    if asked is not None:
        return
    try:
        ends = await end_trial(ctx, app_id, keep=True)
    except Conflict:
        return
    organization_id = await _organization(ctx, app_id)
    params = {"plan": plan, "version": version}
    await ask(ctx, organization_id, app_id, "subscribe", params, subject=page, due=ends)


async def _organization(ctx: Context, app_id: UUID) -> UUID:
    found: UUID = (
        await ctx.session.execute(text("select organization_id from control.apps where id = :app"), {"app": app_id})
    ).scalar_one()
    return found
