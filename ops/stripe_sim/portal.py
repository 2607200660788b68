"""Customer Portal sessions and configurations. The pages are in `pages/`."""

from typing import Any

from ops.stripe_sim.customers import living
from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import anything, flag, merged, metadata, one_of, require, text
from ops.stripe_sim.routing import PAGE, listed, route
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing
from ops.stripe_sim.subscription_routes import PRORATION

_SESSIONS = "/v1/billing_portal/sessions"
_CONFIGURATIONS = "/v1/billing_portal/configurations"
_FEATURES = {
    "customer_update": {"enabled": flag, "allowed_updates": [text]},
    "invoice_history": {"enabled": flag},
    "payment_method_update": {"enabled": flag},
    "subscription_cancel": {
        "enabled": flag,
        "mode": one_of("at_period_end", "immediately"),
        "proration_behavior": PRORATION,
        "cancellation_reason": {"enabled": flag, "options": [text]},
    },
    "subscription_update": {
        "enabled": flag,
        "default_allowed_updates": [text],
        "products": anything,
        "proration_behavior": PRORATION,
        "schedule_at_period_end": anything,
    },
}
_CONFIGURATION = {
    "business_profile": {"headline": text, "privacy_policy_url": text, "terms_of_service_url": text},
    "default_return_url": text,
    "features": _FEATURES,
    "metadata": metadata,
    "name": text,
    "login_page": {"enabled": flag},
}


@route("POST", _CONFIGURATIONS, _CONFIGURATION)
def create_configuration(sim: Sim, p: Thing) -> Thing:
    require(p, "features")
    first = next(sim.store.all("billing_portal.configuration"), None) is None
    return _configuration(sim, p, is_default=first)


def _configuration(sim: Sim, p: Thing, *, is_default: bool) -> Thing:
    profile = {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None}
    return sim.add(
        "billing_portal.configuration",
        "bpc",
        active=True,
        application=None,
        business_profile=profile | (p.get("business_profile") or {}),
        default_return_url=p.get("default_return_url"),
        features=_features(p.get("features") or {}),
        is_default=is_default,
        login_page={"enabled": False, "url": None},
        metadata=p.get("metadata") or {},
        name=p.get("name"),
        updated=sim.now(),
    )


def _features(given: Thing) -> Thing:
    base: dict[str, dict[str, Any]] = {
        "customer_update": {"allowed_updates": [], "enabled": False},
        "invoice_history": {"enabled": False},
        "payment_method_update": {"enabled": False, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "options": []},
            "enabled": False,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": False},
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": [],
            "enabled": False,
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }
    return {name: each | (given.get(name) or {}) for name, each in base.items()}


def default_configuration(sim: Sim) -> Thing:
    """The one that sessions without a configuration use; made when it is first needed, with everything on."""
    found = next(sim.store.all("billing_portal.configuration", is_default=True), None)
    features = ("customer_update", "invoice_history", "payment_method_update", "subscription_cancel")
    return found or _configuration(sim, {"features": {name: {"enabled": True} for name in features}}, is_default=True)


@route("POST", _CONFIGURATIONS + "/{id}", _CONFIGURATION | {"active": flag})
def update_configuration(sim: Sim, p: Thing, identity: str) -> Thing:
    configuration = sim.need("billing_portal.configuration", identity)
    if "metadata" in p:
        p["metadata"] = merged(configuration["metadata"], p["metadata"])
    for name, each in (p.pop("features", None) or {}).items():
        configuration["features"][name] |= each
    configuration["business_profile"] |= p.pop("business_profile", None) or {}
    p.pop("login_page", None)
    configuration |= p | {"updated": sim.now()}
    sim.emit("billing_portal.configuration.updated", configuration)
    return configuration


@route("GET", _CONFIGURATIONS + "/{id}")
def retrieve_configuration(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("billing_portal.configuration", identity)


@route("GET", _CONFIGURATIONS, PAGE | {"active": flag, "is_default": flag})
def list_configurations(sim: Sim, p: Thing) -> Thing:
    equal = {name: p[name] for name in ("active", "is_default") if name in p}
    return listed(sim.store.all("billing_portal.configuration", **equal), p, _CONFIGURATIONS)


@route(
    "POST",
    _SESSIONS,
    {
        "customer": text,
        "return_url": text,
        "configuration": text,
        "locale": text,
        "flow_data": {
            "type": one_of("payment_method_update", "subscription_cancel"),
            "subscription_cancel": {"subscription": text},
            "after_completion": {"type": one_of("redirect", "portal_homepage"), "redirect": {"return_url": text}},
        },
    },
)
def create_session(sim: Sim, p: Thing) -> Thing:
    require(p, "customer")
    customer = living(sim, p["customer"])
    configuration = (
        sim.need("billing_portal.configuration", p["configuration"], "configuration")
        if p.get("configuration")
        else default_configuration(sim)
    )
    if not configuration["active"]:
        raise invalid("This configuration is not active.", param="configuration")
    flow = p.get("flow_data")
    session = sim.add(
        "billing_portal.session",
        "bps",
        configuration=configuration["id"],
        customer=customer["id"],
        customer_account=None,
        flow=_flow(flow) if flow else None,
        locale=p.get("locale"),
        on_behalf_of=None,
        return_url=p.get("return_url") or configuration["default_return_url"],
    )
    session["url"] = f"{sim.base_url}/p/session/{session['id']}"
    sim.emit("billing_portal.session.created", session)
    return session


def _flow(given: Thing) -> Thing:
    after = given.get("after_completion") or {"type": "portal_homepage"}
    redirect = after.get("redirect")
    cancel = given.get("subscription_cancel")
    return {
        "after_completion": {"hosted_confirmation": None, "redirect": redirect, "type": after["type"]},
        "subscription_cancel": {"retention": None, "subscription": cancel["subscription"]} if cancel else None,
        "subscription_update": None,
        "subscription_update_confirm": None,
        "type": given["type"],
    }
