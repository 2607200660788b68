"""Checkout sessions for subscriptions, and cards (`mode=setup`)."""

from typing import Final

from ops.stripe_sim import subscriptions
from ops.stripe_sim.calendar import DAY, HOUR
from ops.stripe_sim.cards import attach, new_card, resolve
from ops.stripe_sim.customers import create_customer, living
from ops.stripe_sim.discounts import coupon_of
from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import anything, flag, metadata, one_of, require, text, whole
from ops.stripe_sim.lines import name_of
from ops.stripe_sim.pricing import cost
from ops.stripe_sim.routing import CREATED, INCLUDABLE, PAGE, listed, route, whole_list
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing
from ops.stripe_sim.subscription_routes import ANCHOR_CONFIG, TRIAL_SETTINGS

_LIFE: Final = DAY
_ADDRESS: Final = "/v1/checkout/sessions"


@route(
    "POST",
    _ADDRESS,
    {
        "mode": one_of("subscription", "setup"),
        "line_items": [{"price": text, "quantity": whole}],
        "customer": text,
        "customer_email": text,
        "client_reference_id": text,
        "success_url": text,
        "cancel_url": text,
        "currency": text,
        "expires_at": whole,
        "locale": text,
        "metadata": metadata,
        "allow_promotion_codes": flag,
        "discounts": [{"coupon": text, "promotion_code": text}],
        "payment_method_collection": one_of("always", "if_required"),
        "payment_method_types": [text],
        "billing_address_collection": one_of("auto", "required"),
        "tax_id_collection": {"enabled": flag},
        "customer_update": {"address": text, "name": text},
        "automatic_tax": {"enabled": flag},
        "setup_intent_data": {"metadata": metadata},
        "saved_payment_method_options": anything,
        "subscription_data": {
            "metadata": metadata,
            "description": text,
            "trial_end": whole,
            "trial_period_days": whole,
            "trial_settings": TRIAL_SETTINGS,
            "billing_cycle_anchor": whole,
            "billing_cycle_anchor_config": ANCHOR_CONFIG,
            "billing_mode": {"type": one_of("flexible", "classic")},
            "proration_behavior": one_of("create_prorations", "none"),
        },
    },
)
def create(sim: Sim, p: Thing) -> Thing:
    require(p, "mode", "success_url")
    if p.get("customer") and p.get("customer_email"):
        raise invalid("You may only specify one of these parameters: customer, customer_email.", param="customer")
    if p.get("discounts") and p.get("allow_promotion_codes"):
        raise invalid("You may only specify one of these parameters: allow_promotion_codes, discounts.")
    customer = living(sim, p["customer"]) if p.get("customer") else None
    now = sim.now_of(p.get("customer"))
    expires = p.get("expires_at") or now + _LIFE
    if not now + HOUR // 2 <= expires <= now + _LIFE:
        raise invalid("expires_at must be between 30 minutes and 24 hours from now.", param="expires_at")
    items: list[Thing] = []
    prices: list[Thing] = []
    for given in p.get("line_items") or []:
        price = subscriptions.usable_price(sim, given.get("price"), prices)
        metered = price["recurring"]["usage_type"] == "metered"
        if metered and given.get("quantity") is not None:
            raise invalid("You cannot specify `quantity` for a metered price.", param="line_items[0][quantity]")
        if not metered and not given.get("quantity"):
            raise invalid("Quantity is required.", code="parameter_missing", param="line_items[0][quantity]")
        prices.append(price)
        items.append(_line_item(sim, price, given.get("quantity")))
    if p["mode"] == "subscription" and not items:
        raise invalid("`line_items` is required in `subscription` mode.", param="line_items")
    for given in p.get("discounts") or []:
        coupon_of(sim, given)
    total = sum(item["amount_total"] for item in items)
    session = sim.add(
        "checkout.session",
        "cs_test",
        id=sim.store.new_id("cs_test", 58),
        created=now,
        adaptive_pricing=None,
        after_expiration=None,
        allow_promotion_codes=p.get("allow_promotion_codes"),
        amount_subtotal=total if items else None,
        amount_total=total if items else None,
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        billing_address_collection=p.get("billing_address_collection"),
        cancel_url=p.get("cancel_url"),
        client_reference_id=p.get("client_reference_id"),
        client_secret=None,
        collected_information=None,
        consent=None,
        consent_collection=None,
        currency=prices[0]["currency"] if prices else p.get("currency"),
        currency_conversion=None,
        custom_fields=[],
        custom_text={
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        customer=customer["id"] if customer is not None else None,
        customer_account=None,
        customer_creation=None if customer is not None else "always",
        customer_details=_details(customer, p.get("customer_email")),
        customer_email=p.get("customer_email"),
        discounts=[
            {"coupon": each.get("coupon"), "promotion_code": each.get("promotion_code")}
            for each in p.get("discounts") or []
        ],
        expires_at=expires,
        invoice=None,
        invoice_creation=None,
        locale=p.get("locale"),
        metadata=p.get("metadata") or {},
        mode=p["mode"],
        payment_intent=None,
        payment_link=None,
        payment_method_collection=p.get("payment_method_collection", "always"),
        payment_method_configuration_details=None,
        payment_method_options={},
        payment_method_types=["card"],
        payment_status="unpaid" if items else "no_payment_required",
        phone_number_collection={"enabled": False},
        recovered_from=None,
        saved_payment_method_options=None,
        setup_intent=None,
        shipping_address_collection=None,
        shipping_cost=None,
        shipping_options=[],
        status="open",
        submit_type=None,
        subscription=None,
        success_url=p["success_url"],
        tax_id_collection={"enabled": bool((p.get("tax_id_collection") or {}).get("enabled")), "required": "never"},
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        ui_mode="hosted_page",
        wallet_options=None,
        _items=items,
        _subscription_data=p.get("subscription_data") or {},
    )
    session["url"] = f"{sim.base_url}/c/pay/{session['id']}"
    return session


def _details(customer: Thing | None, email: str | None) -> Thing | None:
    if customer is None and email is None:
        return None
    owner = customer or {"address": None, "email": email, "name": None, "phone": None, "tax_exempt": "none"}
    return {
        "address": owner["address"],
        "business_name": None,
        "email": owner["email"],
        "individual_name": None,
        "name": owner["name"],
        "phone": owner["phone"],
        "tax_exempt": owner["tax_exempt"],
        "tax_ids": [],
    }


def _line_item(sim: Sim, price: Thing, quantity: int | None) -> Thing:
    amount = cost(price, quantity) if quantity is not None else 0
    item = {
        "id": sim.store.new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": name_of(sim, price),
        "metadata": {},
        "price": price,
    }
    if quantity is not None:
        item["quantity"] = quantity
    return item


def _line_items(sim: Sim, session: Thing) -> Thing:
    return whole_list(session["_items"], f"{_ADDRESS}/{session['id']}/line_items")


INCLUDABLE["checkout.session", "line_items"] = _line_items


@route("GET", _ADDRESS + "/{id}")
def retrieve(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("checkout.session", identity)


@route("GET", _ADDRESS, PAGE | CREATED | {"customer": text, "subscription": text, "status": text})
def list_sessions(sim: Sim, p: Thing) -> Thing:
    equal = {name: p[name] for name in ("customer", "subscription", "status") if name in p}
    return listed(sim.store.all("checkout.session", **equal), p, _ADDRESS)


@route("GET", _ADDRESS + "/{id}/line_items", PAGE)
def list_line_items(sim: Sim, p: Thing, identity: str) -> Thing:
    session = sim.need("checkout.session", identity)
    return listed(session["_items"][::-1], p, f"{_ADDRESS}/{identity}/line_items")


@route("POST", _ADDRESS + "/{id}", {"metadata": metadata})
def update(sim: Sim, p: Thing, identity: str) -> Thing:
    session = sim.need("checkout.session", identity)
    session["metadata"] = p.get("metadata") or {}
    return session


@route("POST", _ADDRESS + "/{id}/expire")
def expire_now(sim: Sim, p: Thing, identity: str) -> Thing:
    session = sim.need("checkout.session", identity)
    if session["status"] != "open":
        raise invalid(
            f"Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of "
            f"\"{session['status']}\"."
        )  # fmt: skip
    expire(sim, session)
    return session


def expire(sim: Sim, session: Thing) -> None:
    session |= {"status": "expired", "url": None}
    sim.emit("checkout.session.expired", session)


def needs_card(session: Thing) -> bool:
    """Whether the page asks for a card: always, or where something is to be paid now."""
    data = session["_subscription_data"]
    trial = data.get("trial_end") or data.get("trial_period_days")
    return session["payment_method_collection"] == "always" or not (trial or session["amount_total"] == 0)


def complete(
    sim: Sim,
    session: Thing,
    *,
    number: str = "",
    exp_month: int = 12,
    exp_year: int = 2034,
    email: str = "",
    name: str = "",
    promotion: str = "",
    tax_id: Thing | None = None,
) -> None:
    """The customer submits the page. Raises Stripe's errors for a card that is refused; then all is as before."""
    if session["status"] != "open":
        raise invalid(f"This session is {session['status']}.")
    if session["customer"]:
        customer = living(sim, session["customer"])
    else:
        mail = session["customer_email"] or email or "customer@example.com"
        customer = create_customer(sim, {"email": mail, "name": name or None})
        session["customer"] = customer["id"]
    if tax_id and session["tax_id_collection"]["enabled"]:
        from ops.stripe_sim.customers import create_tax_id

        create_tax_id(sim, tax_id, customer["id"])
    card = None
    if number:
        card = resolve(sim, number) if number.startswith(("pm_", "tok_")) else new_card(
            sim, number, exp_month, exp_year, email=customer["email"], name=name or None
        )  # fmt: skip
        attach(sim, card, customer)
    elif needs_card(session):
        raise invalid("A card is needed.", code="parameter_missing", param="number")
    session["customer_details"] = _details(customer, None)
    if session["mode"] == "setup":
        _complete_setup(sim, session, customer, card)
    else:
        _complete_subscription(sim, session, customer, card, promotion)
    session |= {"status": "complete", "url": None}
    sim.emit("checkout.session.completed", session)


def items_of(session: Thing) -> list[Thing]:
    """Its lines as a new subscription takes them."""
    return [
        {"price": item["price"]["id"]} | ({"quantity": item["quantity"]} if "quantity" in item else {})
        for item in session["_items"]
    ]


def discounts_of(session: Thing) -> list[Thing]:
    return [{name: value for name, value in each.items() if value} for each in session["discounts"]]


def _complete_setup(sim: Sim, session: Thing, customer: Thing, card: Thing | None) -> None:
    from ops.stripe_sim.customers import create_setup_intent

    intent = create_setup_intent(sim, {"customer": customer["id"], "payment_method": card["id"] if card else None})
    intent["status"] = "succeeded"
    sim.emit("setup_intent.succeeded", intent)
    session |= {"setup_intent": intent["id"], "payment_status": "no_payment_required"}


def _complete_subscription(sim: Sim, session: Thing, customer: Thing, card: Thing | None, promotion: str) -> None:
    discounts = discounts_of(session)
    if promotion and session["allow_promotion_codes"]:
        codes = sim.store.all("promotion_code", active=True)
        found = next((each for each in codes if each["code"].lower() == promotion.lower()), None)
        if found is None:
            raise invalid("This code is invalid.", param="promotion")
        discounts = [{"promotion_code": found["id"]}]
    given = dict(session["_subscription_data"]) | {
        "items": items_of(session),
        "discounts": discounts,
        "default_payment_method": card["id"] if card else None,
    }
    subscription = subscriptions.start(sim, customer, given, present=True)
    session["subscription"] = subscription["id"]
    if subscription["latest_invoice"] is None:
        session["payment_status"] = "no_payment_required"
        return
    invoice = sim.need("invoice", subscription["latest_invoice"])
    paid = "paid" if invoice["amount_paid"] else "no_payment_required"
    session |= {
        "invoice": invoice["id"],
        "payment_status": paid if invoice["status"] == "paid" else "unpaid",
        "currency": invoice["currency"],
        "amount_subtotal": invoice["subtotal"],
        "amount_total": invoice["total"],
    }
    session["total_details"]["amount_discount"] = invoice["subtotal"] - invoice["total"]
