"""Customers, their tax ids, balances, cards, and set-up intents."""

from ops.stripe_sim.cards import attach, new_card, resolve
from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import anything, flag, merged, metadata, one_of, require, text, whole
from ops.stripe_sim.routing import CREATED, INCLUDABLE, PAGE, listed, route, searched, whole_list
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing

ADDRESS = {"city": text, "country": text, "line1": text, "line2": text, "postal_code": text, "state": text}
_CUSTOMER = {
    "email": text,
    "name": text,
    "description": text,
    "phone": text,
    "metadata": metadata,
    "address": ADDRESS,
    "balance": whole,
    "invoice_prefix": text,
    "next_invoice_sequence": whole,
    "preferred_locales": [text],
    "tax_exempt": one_of("none", "exempt", "reverse"),
    "invoice_settings": {"default_payment_method": text, "footer": text},
}


@route(
    "POST",
    "/v1/customers",
    _CUSTOMER | {"payment_method": text, "test_clock": text, "tax_id_data": [{"type": text, "value": text}]},
)
def create_customer(sim: Sim, p: Thing) -> Thing:
    clock = p.pop("test_clock", None)
    if clock:
        sim.need("test_helpers.test_clock", clock, "test_clock")
    method, tax_ids = p.pop("payment_method", None), p.pop("tax_id_data", None) or []
    settings, balance = p.pop("invoice_settings", None) or {}, p.pop("balance", None) or 0
    identity = sim.store.new_id("cus", 14)
    customer = sim.add(
        "customer",
        "cus",
        id=identity,
        created=sim.now(clock),
        address=_address(p.pop("address", None)),
        balance=0,
        currency=None,
        customer_account=None,
        default_source=None,
        delinquent=False,
        description=None,
        discount=None,
        email=None,
        invoice_prefix=(sim.store.new_id("x", 8)[2:]).upper(),
        invoice_settings={
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        metadata={},
        name=None,
        next_invoice_sequence=1,
        phone=None,
        preferred_locales=[],
        shipping=None,
        tax_exempt="none",
        test_clock=clock,
    )
    customer |= p | {"metadata": p.get("metadata") or {}}
    if method:
        attach(sim, card := resolve(sim, method), customer)
        settings.setdefault("default_payment_method", card["id"])
    _settle(sim, customer, settings)
    sim.emit("customer.created", customer)
    if balance:
        add_to_balance(sim, customer, balance, "adjustment", None)
    for each in tax_ids:
        create_tax_id(sim, each, identity)
    return customer


def _address(given: Thing | None) -> Thing | None:
    return {name: (given or {}).get(name) for name in ADDRESS} if given else None


def _settle(sim: Sim, customer: Thing, settings: Thing) -> None:
    if method := settings.get("default_payment_method"):
        card = resolve(sim, method, "invoice_settings[default_payment_method]")
        if card["customer"] != customer["id"]:
            raise invalid(
                f"The customer does not have a payment method with the ID {method}. The payment method must be "
                "attached to the customer.",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
    customer["invoice_settings"] |= settings


def living(sim: Sim, identity: str, param: str = "customer") -> Thing:
    """A customer that was not deleted."""
    customer = sim.need("customer", identity, param)
    if customer.get("deleted"):
        raise invalid(f"No such customer: '{identity}'", code="resource_missing", param=param)
    return customer


@route("POST", "/v1/customers/{id}", _CUSTOMER)
def update_customer(sim: Sim, p: Thing, identity: str) -> Thing:
    customer = living(sim, identity, "id")
    if "metadata" in p:
        p["metadata"] = merged(customer["metadata"], p["metadata"])
    if "address" in p:
        p["address"] = _address(p["address"])
    _settle(sim, customer, p.pop("invoice_settings", None) or {})
    if (balance := p.pop("balance", None)) is not None and balance != customer["balance"]:
        add_to_balance(sim, customer, balance - customer["balance"], "adjustment", None)
    customer |= p
    sim.emit("customer.updated", customer)
    return customer


@route("GET", "/v1/customers/{id}")
def retrieve_customer(sim: Sim, p: Thing, identity: str) -> Thing:
    customer = sim.need("customer", identity)
    if customer.get("deleted"):
        return {"id": identity, "object": "customer", "deleted": True}
    return customer


@route("GET", "/v1/customers", PAGE | CREATED | {"email": text, "test_clock": text})
def list_customers(sim: Sim, p: Thing) -> Thing:
    equal = {name: p[name] for name in ("email", "test_clock") if name in p}
    found = [each for each in sim.store.all("customer", **equal) if not each.get("deleted")]
    return listed(found, p, "/v1/customers")


@route("GET", "/v1/customers/search", {"query": text, "limit": whole, "page": text})
def search_customers(sim: Sim, p: Thing) -> Thing:
    found = [each for each in sim.store.all("customer") if not each.get("deleted")]
    return searched(found, p, "/v1/customers/search")


@route("DELETE", "/v1/customers/{id}")
def delete_customer(sim: Sim, p: Thing, identity: str) -> Thing:
    from ops.stripe_sim.subscriptions import end_subscription

    customer = living(sim, identity, "id")
    for subscription in sim.store.all("subscription", customer=identity):
        if subscription["status"] not in ("canceled", "incomplete_expired"):
            end_subscription(sim, subscription)
    customer["deleted"] = True
    sim.emit("customer.deleted", customer)
    return {"id": identity, "object": "customer", "deleted": True}


def _tax_ids(sim: Sim, customer: Thing) -> Thing:
    found = list(sim.store.all("tax_id", customer=customer["id"]))[::-1]
    return whole_list(found, f"/v1/customers/{customer['id']}/tax_ids")


def _subscriptions(sim: Sim, customer: Thing) -> Thing:
    found = [each for each in sim.store.all("subscription", customer=customer["id"]) if each["status"] != "canceled"]
    return whole_list(found[::-1], f"/v1/customers/{customer['id']}/subscriptions")


INCLUDABLE["customer", "tax_ids"] = _tax_ids
INCLUDABLE["customer", "subscriptions"] = _subscriptions

# -- tax ids -----------------------------------------------------------------------------------------------------------


@route("POST", "/v1/customers/{id}/tax_ids", {"type": text, "value": text})
def create_tax_id(sim: Sim, p: Thing, customer: str) -> Thing:
    require(p, "type", "value")
    owner = living(sim, customer, "id")
    value = p["value"]
    if p["type"] == "eu_vat" and not (value[:2].isalpha() and len(value) >= 8):
        raise invalid("Invalid value for eu_vat.", code="tax_id_invalid", param="value")
    tax_id = sim.add(
        "tax_id",
        "txi",
        created=sim.now_of(customer),
        country=value[:2].upper() if value[:2].isalpha() else None,
        customer=owner["id"],
        customer_account=None,
        owner={
            "account": None,
            "application": None,
            "customer": owner["id"],
            "customer_account": None,
            "type": "customer",
        },
        type=p["type"],
        value=value,
        verification={"status": "pending", "verified_address": None, "verified_name": None},
    )
    sim.emit("customer.tax_id.created", tax_id)
    return tax_id


@route("GET", "/v1/customers/{id}/tax_ids", PAGE)
def list_tax_ids(sim: Sim, p: Thing, customer: str) -> Thing:
    living(sim, customer, "id")
    return listed(sim.store.all("tax_id", customer=customer), p, f"/v1/customers/{customer}/tax_ids")


@route("GET", "/v1/customers/{id}/tax_ids/{tax_id}")
def retrieve_tax_id(sim: Sim, p: Thing, customer: str, identity: str) -> Thing:
    living(sim, customer, "id")
    return sim.need("tax_id", identity)


@route("DELETE", "/v1/customers/{id}/tax_ids/{tax_id}")
def delete_tax_id(sim: Sim, p: Thing, customer: str, identity: str) -> Thing:
    tax_id = sim.need("tax_id", identity)
    if tax_id["customer"] != customer:
        raise invalid(f"No such tax_id: '{identity}'", code="resource_missing", param="id")
    sim.store.remove(tax_id)
    sim.emit("customer.tax_id.deleted", tax_id)
    return {"id": identity, "object": "tax_id", "deleted": True}


# -- balance -----------------------------------------------------------------------------------------------------------


def add_to_balance(
    sim: Sim, customer: Thing, amount: int, kind: str, invoice: str | None, description: str | None = None
) -> Thing:
    """Move the balance: a negative amount is credit to the customer, a positive one is owed on the next invoice."""
    customer["balance"] += amount
    customer["currency"] = customer["currency"] or "usd"
    transaction = sim.add(
        "customer_balance_transaction",
        "cbtxn",
        created=sim.now_of(customer["id"]),
        amount=amount,
        checkout_session=None,
        credit_note=None,
        currency=customer["currency"],
        customer=customer["id"],
        customer_account=None,
        description=description,
        ending_balance=customer["balance"],
        invoice=invoice,
        metadata={},
        type=kind,
    )
    sim.emit("customer.updated", customer)
    return transaction


@route(
    "POST",
    "/v1/customers/{id}/balance_transactions",
    {"amount": whole, "currency": text, "description": text, "metadata": metadata},
)
def create_balance_transaction(sim: Sim, p: Thing, customer: str) -> Thing:
    require(p, "amount", "currency")
    owner = living(sim, customer, "id")
    if owner["currency"] not in (None, p["currency"]):
        raise invalid(f"The customer's currency is {owner['currency']}.", param="currency")
    owner["currency"] = p["currency"]
    transaction = add_to_balance(sim, owner, p["amount"], "adjustment", None, p.get("description"))
    transaction["metadata"] = p.get("metadata") or {}
    sim.emit("customer_balance_transaction.created", transaction)
    return transaction


@route("GET", "/v1/customers/{id}/balance_transactions", PAGE | CREATED | {"invoice": text})
def list_balance_transactions(sim: Sim, p: Thing, customer: str) -> Thing:
    sim.need("customer", customer)
    equal = {"invoice": p["invoice"]} if p.get("invoice") else {}
    found = sim.store.all("customer_balance_transaction", customer=customer, **equal)
    return listed(found, p, f"/v1/customers/{customer}/balance_transactions")


@route("GET", "/v1/customers/{id}/balance_transactions/{transaction}")
def retrieve_balance_transaction(sim: Sim, p: Thing, customer: str, identity: str) -> Thing:
    return sim.need("customer_balance_transaction", identity)


# -- payment methods and set-up intents --------------------------------------------------------------------------------

_CARD = {"number": text, "exp_month": whole, "exp_year": whole, "cvc": text, "token": text}


@route(
    "POST",
    "/v1/payment_methods",
    {
        "type": one_of("card"),
        "card": _CARD,
        "metadata": metadata,
        "billing_details": {"email": text, "name": text, "phone": text, "address": ADDRESS},
    },
)
def create_payment_method(sim: Sim, p: Thing) -> Thing:
    require(p, "type", "card")
    card, details = p["card"], p.get("billing_details") or {}
    if card.get("token"):
        method = resolve(sim, card["token"], "card[token]")
    else:
        require(card, "number", "exp_month", "exp_year")
        method = new_card(sim, card["number"], card["exp_month"], card["exp_year"])
    method["metadata"] = p.get("metadata") or {}
    address = details.pop("address", None) or {}
    method["billing_details"] |= details
    method["billing_details"]["address"] |= address
    return method


@route("GET", "/v1/payment_methods/{id}")
def retrieve_payment_method(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("payment_method", identity)


@route("POST", "/v1/payment_methods/{id}/attach", {"customer": text})
def attach_payment_method(sim: Sim, p: Thing, identity: str) -> Thing:
    require(p, "customer")
    method = resolve(sim, identity, "id")
    attach(sim, method, living(sim, p["customer"]))
    return method


@route("POST", "/v1/payment_methods/{id}/detach")
def detach_payment_method(sim: Sim, p: Thing, identity: str) -> Thing:
    method = sim.need("payment_method", identity)
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer.")
    owner = sim.need("customer", method["customer"])
    method["customer"] = None
    if owner["invoice_settings"]["default_payment_method"] == identity:
        owner["invoice_settings"]["default_payment_method"] = None
        sim.emit("customer.updated", owner)
    for subscription in sim.store.all("subscription", customer=owner["id"]):
        if subscription["default_payment_method"] == identity:
            subscription["default_payment_method"] = None
            sim.emit("customer.subscription.updated", subscription)
    sim.emit("payment_method.detached", method)
    return method


@route("GET", "/v1/payment_methods", PAGE | {"customer": text, "type": text})
def list_payment_methods(sim: Sim, p: Thing) -> Thing:
    require(p, "customer")
    living(sim, p["customer"])
    return listed(sim.store.all("payment_method", customer=p["customer"]), p, "/v1/payment_methods")


@route("GET", "/v1/customers/{id}/payment_methods", PAGE | {"type": text})
def list_customers_payment_methods(sim: Sim, p: Thing, customer: str) -> Thing:
    living(sim, customer, "id")
    found = sim.store.all("payment_method", customer=customer)
    return listed(found, p, f"/v1/customers/{customer}/payment_methods")


@route(
    "POST",
    "/v1/setup_intents",
    {
        "customer": text,
        "payment_method": text,
        "confirm": flag,
        "usage": text,
        "metadata": metadata,
        "payment_method_types": [text],
        "automatic_payment_methods": {"enabled": flag, "allow_redirects": text},
    },
)
def create_setup_intent(sim: Sim, p: Thing) -> Thing:
    intent = sim.add(
        "setup_intent",
        "seti",
        application=None,
        automatic_payment_methods=None,
        cancellation_reason=None,
        customer=p.get("customer"),
        customer_account=None,
        description=None,
        flow_directions=None,
        last_setup_error=None,
        latest_attempt=None,
        mandate=None,
        metadata=p.get("metadata") or {},
        next_action=None,
        on_behalf_of=None,
        payment_method=p.get("payment_method"),
        payment_method_configuration_details=None,
        payment_method_options={},
        payment_method_types=["card"],
        single_use_mandate=None,
        status="requires_confirmation" if p.get("payment_method") else "requires_payment_method",
        usage=p.get("usage", "off_session"),
    )
    intent["client_secret"] = f"{intent['id']}_secret_{sim.store.new_id('x')[2:]}"
    sim.emit("setup_intent.created", intent)
    return confirm_setup_intent(sim, {}, intent["id"]) if p.get("confirm") else intent


@route("POST", "/v1/setup_intents/{id}/confirm", {"payment_method": text, "return_url": text, "mandate_data": anything})
def confirm_setup_intent(sim: Sim, p: Thing, identity: str) -> Thing:
    intent = sim.need("setup_intent", identity)
    method = p.get("payment_method") or intent["payment_method"]
    if not method:
        raise invalid("You cannot confirm this SetupIntent because it's missing a payment method.")
    card = resolve(sim, method)
    if intent["customer"]:
        attach(sim, card, living(sim, intent["customer"]))
    intent |= {"payment_method": card["id"], "status": "succeeded"}
    sim.emit("setup_intent.succeeded", intent)
    return intent


@route("GET", "/v1/setup_intents/{id}")
def retrieve_setup_intent(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("setup_intent", identity)
