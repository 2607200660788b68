"""Routes of subscriptions and their items."""

from ops.stripe_sim import subscriptions
from ops.stripe_sim.cards import resolve
from ops.stripe_sim.customers import living
from ops.stripe_sim.discounts import DISCOUNTS
from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import anything, flag, metadata, moment, one_of, require, text, whole
from ops.stripe_sim.routing import CREATED, PAGE, listed, route, searched
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing

ANCHOR_CONFIG = {"day_of_month": whole, "hour": whole, "minute": whole, "second": whole}
PRORATION = one_of("create_prorations", "always_invoice", "none")
TRIAL_SETTINGS = {"end_behavior": {"missing_payment_method": one_of("cancel", "create_invoice", "pause")}}
_SHARED = {
    "metadata": metadata,
    "default_payment_method": text,
    "description": text,
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "days_until_due": whole,
    "cancel_at_period_end": flag,
    "cancel_at": whole,
    "trial_end": moment,
    "trial_settings": TRIAL_SETTINGS,
    "discounts": DISCOUNTS,
    "proration_behavior": PRORATION,
    "payment_behavior": one_of("allow_incomplete", "default_incomplete", "error_if_incomplete"),
    "off_session": flag,
    "payment_settings": anything,
    "automatic_tax": {"enabled": flag},
}
CREATE = _SHARED | {
    "customer": text,
    "items": [{"price": text, "quantity": whole, "metadata": metadata}],
    "add_invoice_items": [{"price": text, "quantity": whole}],
    "billing_cycle_anchor": whole,
    "billing_cycle_anchor_config": ANCHOR_CONFIG,
    "billing_mode": {"type": one_of("flexible", "classic")},
    "currency": text,
    "trial_period_days": whole,
}
ITEM = {"id": text, "price": text, "quantity": whole, "deleted": flag, "clear_usage": flag, "metadata": metadata}
UPDATE = _SHARED | {
    "items": [ITEM],
    "billing_cycle_anchor": one_of("now", "unchanged"),
    "proration_date": whole,
    "pause_collection": {"behavior": one_of("keep_as_draft", "mark_uncollectible", "void"), "resumes_at": whole},
    "cancellation_details": {"comment": text, "feedback": text},
}


@route("POST", "/v1/subscriptions", CREATE)
def create(sim: Sim, p: Thing) -> Thing:
    require(p, "customer")
    customer = living(sim, p["customer"])
    if p.get("default_payment_method"):
        method = resolve(sim, p["default_payment_method"], "default_payment_method")
        if method["customer"] != customer["id"]:
            raise invalid("The payment method does not belong to the customer.", param="default_payment_method")
    return subscriptions.start(sim, customer, p)


@route("POST", "/v1/subscriptions/{id}", UPDATE)
def update(sim: Sim, p: Thing, identity: str) -> Thing:
    subscription = sim.need("subscription", identity)
    subscriptions.change(sim, subscription, p)
    return subscription


@route("GET", "/v1/subscriptions/{id}")
def retrieve(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("subscription", identity)


@route(
    "GET",
    "/v1/subscriptions",
    PAGE | CREATED | {"customer": text, "status": text, "price": text, "collection_method": text, "test_clock": text},
)
def list_subscriptions(sim: Sim, p: Thing) -> Thing:
    """Without a status those that are not canceled; `all` for every one, `ended` for those that are over."""
    equal = {name: p[name] for name in ("customer", "collection_method", "test_clock") if name in p}
    found = list(sim.store.all("subscription", **equal))
    status = p.get("status")
    if status is None:
        found = [each for each in found if each["status"] != "canceled"]
    elif status == "ended":
        found = [each for each in found if each["status"] in subscriptions.ENDED]
    elif status != "all":
        found = [each for each in found if each["status"] == status]
    if p.get("price"):
        found = [each for each in found if p["price"] in [item["price"]["id"] for item in subscriptions.items_of(each)]]
    return listed(found, p, "/v1/subscriptions")


@route("GET", "/v1/subscriptions/search", {"query": text, "limit": whole, "page": text})
def search(sim: Sim, p: Thing) -> Thing:
    return searched(sim.store.all("subscription"), p, "/v1/subscriptions/search")


@route(
    "DELETE",
    "/v1/subscriptions/{id}",
    {"invoice_now": flag, "prorate": flag, "cancellation_details": {"comment": text, "feedback": text}},
)
def cancel(sim: Sim, p: Thing, identity: str) -> Thing:
    subscription = sim.need("subscription", identity)
    if subscription["status"] in subscriptions.ENDED:
        raise invalid(f"No such subscription: '{identity}'", code="resource_missing", param="id")
    subscription["cancellation_details"] |= p.get("cancellation_details") or {}
    subscriptions.end_subscription(
        sim, subscription, prorate=bool(p.get("prorate")), invoice_now=bool(p.get("invoice_now"))
    )
    return subscription


@route(
    "POST",
    "/v1/subscriptions/{id}/resume",
    {"billing_cycle_anchor": one_of("now", "unchanged"), "proration_behavior": PRORATION},
)
def resume(sim: Sim, p: Thing, identity: str) -> Thing:
    subscription = sim.need("subscription", identity)
    subscriptions.resume(sim, subscription, p.get("billing_cycle_anchor", "now"))
    return subscription


@route("DELETE", "/v1/subscriptions/{id}/discount")
def delete_discount(sim: Sim, p: Thing, identity: str) -> Thing:
    subscription = sim.need("subscription", identity)
    if not subscription["discounts"]:
        raise invalid("This subscription has no discount.")
    discount = sim.need("discount", subscription["discounts"][-1])
    subscription["discounts"] = []
    sim.emit("customer.discount.deleted", discount)
    sim.emit("customer.subscription.updated", subscription)
    return discount | {"deleted": True}


# -- items -------------------------------------------------------------------------------------------------------------


def _item(sim: Sim, identity: str) -> tuple[Thing, Thing]:
    for subscription in sim.store.all("subscription"):
        for item in subscriptions.items_of(subscription):
            if item["id"] == identity:
                return subscription, item
    raise _no_item(identity)


def _no_item(identity: str) -> Exception:
    error = invalid(f"No such subscription item: '{identity}'", code="resource_missing", param="id")
    error.status = 404
    return error


_ITEM_CHANGE = {
    "quantity": whole,
    "metadata": metadata,
    "proration_behavior": PRORATION,
    "proration_date": whole,
    "payment_behavior": text,
}


@route("POST", "/v1/subscription_items", _ITEM_CHANGE | {"subscription": text, "price": text})
def create_item(sim: Sim, p: Thing) -> Thing:
    require(p, "subscription", "price")
    subscription = sim.need("subscription", p["subscription"], "subscription")
    given = {name: p[name] for name in ("price", "quantity", "metadata") if name in p}
    subscriptions.change(sim, subscription, _how(p) | {"items": [given]})
    return subscriptions.items_of(subscription)[-1]


@route("POST", "/v1/subscription_items/{id}", _ITEM_CHANGE | {"price": text})
def update_item(sim: Sim, p: Thing, identity: str) -> Thing:
    subscription, item = _item(sim, identity)
    given = {name: p[name] for name in ("price", "quantity", "metadata") if name in p} | {"id": identity}
    subscriptions.change(sim, subscription, _how(p) | {"items": [given]})
    return item


@route("DELETE", "/v1/subscription_items/{id}", _ITEM_CHANGE | {"clear_usage": flag})
def delete_item(sim: Sim, p: Thing, identity: str) -> Thing:
    subscription, _ = _item(sim, identity)
    given = {"id": identity, "deleted": True, "clear_usage": p.get("clear_usage")}
    subscriptions.change(sim, subscription, _how(p) | {"items": [given]})
    return {"id": identity, "object": "subscription_item", "deleted": True}


def _how(p: Thing) -> Thing:
    return {name: p[name] for name in ("proration_behavior", "proration_date", "payment_behavior") if name in p}


@route("GET", "/v1/subscription_items/{id}")
def retrieve_item(sim: Sim, p: Thing, identity: str) -> Thing:
    return _item(sim, identity)[1]


@route("GET", "/v1/subscription_items", PAGE | {"subscription": text})
def list_items(sim: Sim, p: Thing) -> Thing:
    require(p, "subscription")
    subscription = sim.need("subscription", p["subscription"], "subscription")
    return listed(subscriptions.items_of(subscription)[::-1], p, "/v1/subscription_items")
