"""Products, meters and prices in Stripe, made from the plan file and from what single apps have agreed.

A price is found by its lookup key, which says what it is: `natter:growth@3:base`, `natter:growth@3:mau`. What it costs
never changes: another version of the plan has another key. Meters add up by customer, and one organization is one
customer; so each of its apps has a *slot* with meters of its own: the second app's are `…:mau:2`. An app with other
terms than its plan's (add-ons, overrides, a choice not to be billed) has prices whose keys say so.

Usage is sold in packs of `per` units, each begun one costing its price. Stripe's tiers know no packs, so that meters
count packs: what is included must be whole ones, and a meter has one size of them in all plans.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import text

from billing.plans import AddOn, Catalog, Plan, PlanFileError, load_catalog
from billing.provider.stripe.client import Object, StripeApi, StripeRefused
from billing.terms.force import InForce
from billing.words import METERS as WORDS
from control_plane.context import Deps
from control_plane.entitlements import METERS
from kernel.contracts import Meter
from kernel.logging import get_logger

_UNITS: Final = {
    "mau": "active user",
    "peak_connections": "connection",
    "messages": "message",
    "storage_bytes": "byte",
}
_KNOWN = text("select lookup_key, price_id, active, digest from control.stripe_prices")
_KEEP = text(
    """
    insert into control.stripe_prices
        (lookup_key, price_id, product_id, meter_id, event_name, active, digest, synced_at)
    values (:key, :price, :product, :meter, :event, :active, :digest, :now)
    on conflict (lookup_key) do update set price_id = excluded.price_id, product_id = excluded.product_id,
        meter_id = excluded.meter_id, event_name = excluded.event_name, active = excluded.active,
        digest = excluded.digest, synced_at = excluded.synced_at
    """
)
_IN_USE = text(
    "select distinct item ->> 'key' from control.stripe_subscriptions, jsonb_array_elements(items) item "
    "where status is not null and status not in ('canceled', 'incomplete_expired')"
)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSpec:
    """A price as it should be. Licensed ones cost `amount`; of usage `included` packs are free, and each further one
    of `per` units costs `amount`. `plan`, `version` are the plan's or the add-on's."""

    key: str
    product: str
    name: str
    amount: int
    plan: str
    version: int
    addon: bool = False
    meter: Meter | None = None
    slot: int = 1
    included: int = 0
    per: int = 1

    @property
    def digest(self) -> str:
        """Of what must never change under its key."""
        what = (self.amount, self.meter, self.slot, self.included, self.per)
        return hashlib.sha256(msgspec.json.encode(what)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item that a subscription should have; `quantity` is `None` for usage."""

    price: PriceSpec
    quantity: int | None


def base_price(plan: Plan, price: int) -> PriceSpec:
    """The monthly price of a plan, or of an app with another one."""
    special = "" if price == plan.price else f":{price}"
    return PriceSpec(
        key=f"natter:{plan.id}@{plan.version}:base{special}",
        product=f"natter_{plan.id}",
        name=f"{plan.name} plan",
        amount=price,
        plan=plan.id,
        version=plan.version,
    )


def meter_price(plan: Plan, meter: Meter, slot: int, included: int, price: int, per: int) -> PriceSpec:
    """The price of usage beyond `included` units. Raises `PlanFileError` where that is no number of whole packs."""
    if included % per:
        raise PlanFileError(
            f"{plan.id}@{plan.version}: {meter} includes {included}, which is no multiple of its pack of {per}; "
            "Stripe cannot bill that."
        )
    terms = plan.terms(meter)
    usual = terms.overage is not None and (included, price, per) == (
        terms.included,
        terms.overage.price,
        terms.overage.per,
    )
    place = f":{slot}" if slot > 1 or not usual else ""
    special = "" if usual else f":{included // per}-{price}"
    return PriceSpec(
        key=f"natter:{plan.id}@{plan.version}:{meter}{place}{special}",
        product=f"natter_{plan.id}_{meter}",
        name=f"{plan.name} plan: {WORDS[meter].lower()}",
        amount=price,
        plan=plan.id,
        version=plan.version,
        meter=meter,
        slot=slot,
        included=included // per,
        per=per,
    )


def addon_price(addon: AddOn) -> PriceSpec:
    """The price of a pack of an add-on."""
    return PriceSpec(
        key=f"natter:addon:{addon.id}@{addon.version}",
        product=f"natter_addon_{addon.id}",
        name=addon.name,
        amount=addon.price,
        plan=addon.id,
        version=addon.version,
        addon=True,
    )


def items_of_plan(plan: Plan, slot: int) -> list[Wanted]:
    """What an app without terms of its own subscribes to. Raises `PlanFileError` for a plan by contract."""
    if plan.price is None:
        raise PlanFileError(f"{plan.id} is by contract: an override gives the app its price.")
    found = [Wanted(base_price(plan, plan.price), 1)]
    for meter in METERS:
        terms = plan.terms(meter)
        if terms.included is not None and terms.overage is not None:
            over = terms.overage
            found.append(Wanted(meter_price(plan, meter, slot, terms.included, over.price, over.per), None))
    return found


def items_of_terms(terms: InForce, slot: int, *, billed: Iterable[str]) -> list[Wanted]:
    """What an app with these terms subscribes to. `billed`: meters of which usage beyond the limit is charged."""
    plan, charged = terms.plan, set(billed)
    found = [Wanted(base_price(plan, terms.price or 0), 1)]
    for meter in METERS:
        one = terms.meters[meter]
        if one.included is None or one.overage is None:
            continue
        price = one.overage.price if meter in charged else 0
        found.append(Wanted(meter_price(plan, meter, slot, one.included, price, one.overage.per), None))
    return [*found, *(Wanted(addon_price(held.addon), held.quantity) for held in terms.addons)]


def pack_sizes(catalog: Catalog) -> dict[str, int]:
    """Units in a pack by meter. Raises `PlanFileError` when plans differ in it."""
    sizes: dict[str, int] = {}
    for plan_id in catalog.ids():
        for version in range(1, catalog.newest(plan_id).version + 1):
            for meter in METERS:
                over = catalog.get(plan_id, version).terms(meter).overage
                if over is not None and sizes.setdefault(meter, over.per) != over.per:
                    raise PlanFileError(
                        f"{plan_id}@{version}: {meter} is sold in packs of {over.per}, elsewhere of "
                        f"{sizes[meter]}; with Stripe a meter has one size."
                    )
    return {meter: sizes.get(meter, 1) for meter in METERS}


def event_name(meter: str, slot: int) -> str:
    """What Stripe knows a meter by."""
    return f"natter_{meter}" + (f"_{slot}" if slot > 1 else "")


class PriceList:
    """Finds prices, and makes those that are missing. What it found is kept in a table, so that it asks once."""

    def __init__(self, deps: Deps, api: StripeApi) -> None:
        self._deps = deps
        self._api = api
        self._ids: dict[str, str] = {}
        self._meters: dict[str, str] | None = None

    async def ids(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Price ids by lookup key; what is not there is made. Raises `PlanFileError` for a price that was edited."""
        specs = [each.price for each in wanted]
        if any(spec.key not in self._ids for spec in specs):
            await self._load()
        missing = [spec for spec in specs if spec.key not in self._ids]
        if missing:
            await self._make(missing)
        return {spec.key: self._ids[spec.key] for spec in specs}

    async def meter_id(self, name: str) -> str:
        """Of a meter by its event name, made if it is not there."""
        if self._meters is None:
            listed = self._api.every(self._api.v1.billing.meters.list_async, status="active")
            self._meters = {meter["event_name"]: meter["id"] async for meter in listed}
        if name not in self._meters:
            slot = name.removeprefix("natter_")
            made = await self._api.call(
                self._api.v1.billing.meters.create_async,
                key=f"natter-meter-{name}",
                display_name=slot.replace("_", " "),
                event_name=name,
                default_aggregation={"formula": "sum"},
                customer_mapping={"type": "by_id", "event_payload_key": "stripe_customer_id"},
                value_settings={"event_payload_key": "value"},
            )
            self._meters[name] = made["id"]
        return self._meters[name]

    async def sync(self) -> dict[str, int]:
        """Make what the plan file has and Stripe has not, coupons too; sell old versions no more. Says how many.

        Running it again changes nothing. Raises `PlanFileError` for a price that was edited after it had been made.
        """
        catalog = load_catalog()
        pack_sizes(catalog)
        self._meters, self._ids = None, {}
        plans = [
            catalog.get(plan_id, version)
            for plan_id in catalog.ids()
            for version in range(1, catalog.newest(plan_id).version + 1)
        ]
        sold = [each for plan in plans if plan.price for each in items_of_plan(plan, 1)]
        sold += [Wanted(addon_price(addon), 1) for addon in catalog.addons()]
        made = await self._make([each.price for each in sold])
        archived = await self._archive(catalog, [plan for plan in plans if plan.price])
        coupons = await self._coupons(catalog)
        _log.info("stripe.synced", prices=len(sold), made=made, archived=archived, coupons=coupons)
        return {"prices": len(sold), "made": made, "archived": archived, "coupons": coupons}

    async def _load(self) -> None:
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            for row in await uow.session.execute(_KNOWN):
                self._ids[row.lookup_key] = row.price_id

    async def _make(self, specs: Sequence[PriceSpec]) -> int:
        """Find or make them; returns how many were made."""
        v1, there, made = self._api.v1, dict[str, Object](), 0
        keys = list(dict.fromkeys(spec.key for spec in specs))
        for start in range(0, len(keys), 10):
            some = keys[start : start + 10]
            async for found in self._api.every(v1.prices.list_async, lookup_keys=some):
                there[found["lookup_key"]] = found
        for spec in specs:
            price: Object | None = there.get(spec.key)
            meter_id = await self.meter_id(event_name(spec.meter, spec.slot)) if spec.meter else None
            if price is None:
                await self._product(spec)
                params = _params(spec, load_catalog().currency, meter_id)
                price = await self._api.call(v1.prices.create_async, key=f"{spec.key}:{spec.digest}", **params)
                there[spec.key] = price
                made += 1
            elif price["metadata"].get("natter_digest") != spec.digest:
                raise PlanFileError(
                    f"{spec.key} has another price in Stripe. A plan that is on sale is never edited: add its next "
                    "version to the plan file."
                )
            await self._keep(spec, price, meter_id)
        return made

    async def _product(self, spec: PriceSpec) -> None:
        v1 = self._api.v1
        unit = {"unit_label": _pack_words(spec)} if spec.meter else {}
        try:
            await self._api.call(
                v1.products.create_async,
                id=spec.product,
                name=spec.name,
                metadata={"natter_plan": spec.plan},
                **unit,
            )
        except StripeRefused as error:
            if not error.there_already:
                raise

    async def _archive(self, catalog: Catalog, plans: Sequence[Plan]) -> int:
        """An old version stays for who has it, and is not sold any more once nobody has."""
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            used = set((await uow.session.execute(_IN_USE)).scalars())
            active = {row.lookup_key: row.active for row in await uow.session.execute(_KNOWN)}
        count = 0
        for plan in plans:
            if plan.version == catalog.newest(plan.id).version:
                continue
            old = items_of_plan(plan, 1)
            if any(each.price.key in used for each in old):
                continue
            for each in old:
                if active.get(each.price.key):
                    price_id = self._ids[each.price.key]
                    price = await self._api.call(self._api.v1.prices.update_async, price_id, active=False)
                    await self._keep(each.price, price, None)
                    count += 1
        return count

    async def _coupons(self, catalog: Catalog) -> int:
        made = 0
        for coupon in catalog.coupons():
            off: dict[str, Any] = {"percent_off": coupon.percent}
            if coupon.amount:
                off = {"amount_off": coupon.amount, "currency": catalog.currency}
            try:
                await self._api.call(
                    self._api.v1.coupons.create_async,
                    id=f"natter_{coupon.code}",
                    name=coupon.name[:40],
                    duration="repeating",
                    duration_in_months=coupon.months,
                    **off,
                )
                made += 1
            except StripeRefused as error:
                if not error.there_already:
                    raise
        return made

    async def _keep(self, spec: PriceSpec, price: Object, meter_id: str | None) -> None:
        values = {
            "key": spec.key,
            "price": price["id"],
            "product": spec.product,
            "meter": meter_id,
            "event": event_name(spec.meter, spec.slot) if spec.meter else None,
            "active": price["active"],
            "digest": spec.digest,
            "now": self._deps.clock.now(),
        }
        async with self._deps.database.unit_of_work() as uow:
            await uow.session.execute(_KEEP, values)
        self._ids[spec.key] = price["id"]


def _params(spec: PriceSpec, currency: str, meter_id: str | None) -> dict[str, Any]:
    common: dict[str, Any] = {
        "currency": currency,
        "product": spec.product,
        "lookup_key": spec.key,
        "nickname": spec.key,
        "tax_behavior": "exclusive",
        "metadata": {
            "natter_key": spec.key,
            "natter_plan": "" if spec.addon else spec.plan,
            "natter_addon": spec.plan if spec.addon else "",
            "natter_version": str(spec.version),
            "natter_meter": spec.meter or "",
            "natter_per": str(spec.per),
            "natter_digest": spec.digest,
        },
    }
    if spec.meter is None:
        return common | {"unit_amount": spec.amount, "recurring": {"interval": "month", "usage_type": "licensed"}}
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter_id}
    rest = {"up_to": "inf", "unit_amount": spec.amount}
    tiers = [{"up_to": spec.included, "unit_amount": 0}, rest] if spec.included else [rest]
    return common | {"recurring": recurring, "billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": tiers}


def _pack_words(spec: PriceSpec) -> str:
    unit = _UNITS[spec.meter or "mau"]
    if spec.per == 1:
        return unit
    return "GB" if (spec.meter, spec.per) == ("storage_bytes", 10**9) else f"{spec.per:,} {unit}s"


def known_price(price: Object) -> dict[str, Any]:
    """What one of our prices says of itself, from its metadata."""
    found = price.get("metadata") or {}
    return {
        "key": found.get("natter_key") or price.get("lookup_key") or "",
        "plan": found.get("natter_plan") or None,
        "addon": found.get("natter_addon") or None,
        "version": int(found["natter_version"]) if found.get("natter_version") else None,
        "meter": found.get("natter_meter") or None,
        "per": int(found.get("natter_per") or 1),
    }
