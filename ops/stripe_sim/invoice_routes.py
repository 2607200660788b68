"""Routes of invoices, their items and payments, and of the preview, which does what is asked and takes it back."""

from decimal import Decimal

from ops.stripe_sim import invoices, subscriptions
from ops.stripe_sim.calendar import HOUR
from ops.stripe_sim.cards import resolve
from ops.stripe_sim.customers import living
from ops.stripe_sim.discounts import DISCOUNTS, redeem
from ops.stripe_sim.errors import StripeError, declined, invalid
from ops.stripe_sim.forms import flag, merged, metadata, moment, number, one_of, require, text, whole
from ops.stripe_sim.pricing import rounded
from ops.stripe_sim.routing import CREATED, INCLUDABLE, PAGE, listed, route, searched, whole_list
from ops.stripe_sim.sim import Sim, outside
from ops.stripe_sim.store import Thing
from ops.stripe_sim.subscription_routes import ANCHOR_CONFIG, ITEM, PRORATION

_SHARED = {
    "auto_advance": flag,
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "days_until_due": whole,
    "default_payment_method": text,
    "description": text,
    "footer": text,
    "metadata": metadata,
    "discounts": DISCOUNTS,
}


@route(
    "POST",
    "/v1/invoices",
    _SHARED
    | {
        "customer": text,
        "currency": text,
        "subscription": text,
        "pending_invoice_items_behavior": one_of("include", "exclude"),
    },
)
def create(sim: Sim, p: Thing) -> Thing:
    require(p, "customer")
    customer = living(sim, p["customer"])
    now = sim.now_of(customer["id"])
    subscription = sim.need("subscription", p["subscription"], "subscription") if p.get("subscription") else None
    invoice = invoices.draft(
        sim,
        customer,
        reason="subscription_update" if subscription else "manual",
        currency=p.get("currency") or customer["currency"] or "usd",
        period=(now, now),
        lines=[],
        subscription=subscription,
        auto_advance=bool(p.get("auto_advance")),
        default_payment_method=p.get("default_payment_method"),
        description=p.get("description"),
        metadata=p.get("metadata") or {},
    )
    if p.get("collection_method"):
        invoice["collection_method"] = p["collection_method"]
    if invoice["collection_method"] == "send_invoice":
        invoice["due_date"] = now + (p.get("days_until_due") or 30) * 86_400
    if not invoice["auto_advance"]:
        invoice["automatically_finalizes_at"] = None
    if "discounts" in p:
        invoice["discounts"] = redeem(sim, p["discounts"] or [], customer, None)
    if p.get("pending_invoice_items_behavior") == "include" or subscription is not None:
        invoice["_fixed"] = subscriptions.pending_lines(sim, customer["id"], subscription, invoice["id"])
        if subscription is not None and not invoice["_fixed"]:
            raise invalid("Nothing to invoice for subscription.", code="invoice_no_subscription_line_items")
    invoices.count(sim, invoice)
    sim.emit("invoice.created", invoice)
    return invoice


@route("POST", "/v1/invoices/{id}", _SHARED)
def update(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = sim.need("invoice", identity)
    if invoice["status"] != "draft" and set(p) - {"metadata", "auto_advance", "description", "default_payment_method"}:
        invoices.must_be(invoice, "draft")
    if "metadata" in p:
        p["metadata"] = merged(invoice["metadata"], p["metadata"])
    if "discounts" in p:
        customer = sim.need("customer", invoice["customer"])
        p["discounts"] = redeem(sim, p["discounts"] or [], customer, None)
    p.pop("days_until_due", None)
    invoice |= p
    if invoice["status"] == "draft":
        if "auto_advance" in p:
            grace = sim.now_of(invoice["customer"]) + sim.settings["invoice_grace"]
            invoice["automatically_finalizes_at"] = grace if p["auto_advance"] else None
        invoices.count(sim, invoice)
    sim.emit("invoice.updated", invoice)
    return invoice


@route("GET", "/v1/invoices/{id}")
def retrieve(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = sim.need("invoice", identity)
    if invoice["status"] == "draft":
        invoices.count(sim, invoice)  # usage that came since
    return invoice


@route(
    "GET",
    "/v1/invoices",
    PAGE | CREATED | {"customer": text, "subscription": text, "status": text, "collection_method": text},
)
def list_invoices(sim: Sim, p: Thing) -> Thing:
    equal: Thing = {name: p[name] for name in ("customer", "status", "collection_method") if name in p}
    if p.get("subscription"):
        equal["_subscription"] = p["subscription"]
    return listed(sim.store.all("invoice", **equal), p, "/v1/invoices")


@route("GET", "/v1/invoices/search", {"query": text, "limit": whole, "page": text})
def search(sim: Sim, p: Thing) -> Thing:
    return searched(sim.store.all("invoice"), p, "/v1/invoices/search")


@route("GET", "/v1/invoices/{id}/lines", PAGE)
def list_lines(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = retrieve(sim, {}, identity)
    return listed(invoice["lines"]["data"][::-1], p, f"/v1/invoices/{identity}/lines")


@route("DELETE", "/v1/invoices/{id}")
def delete(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = sim.need("invoice", identity)
    invoices.must_be(invoice, "draft")
    for item in sim.store.all("invoiceitem", customer=invoice["customer"], invoice=identity):
        sim.store.remove(item)
    sim.store.remove(invoice)
    sim.emit("invoice.deleted", invoice)
    return {"id": identity, "object": "invoice", "deleted": True}


@route("POST", "/v1/invoices/{id}/finalize", {"auto_advance": flag})
def finalize(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = sim.need("invoice", identity)
    if "auto_advance" in p:
        invoice["auto_advance"] = p["auto_advance"]
    invoices.finalize(sim, invoice)
    if invoice["status"] == "open" and invoice["auto_advance"] and invoice["collection_method"] != "send_invoice":
        # Who finalizes one by hand has an hour before it is charged by itself.
        invoice["next_payment_attempt"] = sim.now_of(invoice["customer"]) + HOUR
        sim.emit("invoice.updated", invoice)
    return invoice


@route(
    "POST",
    "/v1/invoices/{id}/pay",
    {"payment_method": text, "paid_out_of_band": flag, "off_session": flag, "forgive": flag},
)
def pay(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = sim.need("invoice", identity)
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "draft":
        invoices.finalize(sim, invoice)
        if invoice["status"] == "paid":
            return invoice
    if p.get("paid_out_of_band"):
        invoices.pay_elsewhere(sim, invoice)
        return invoice
    method = resolve(sim, p["payment_method"]) if p.get("payment_method") else None
    if method is None and invoices.method_for(sim, invoice) is None:
        raise invalid("There is no `default_payment_method` set on this Customer or Invoice.", code="resource_missing")
    if code := invoices.pay(sim, invoice, method, present=p.get("off_session") is False):
        error: StripeError = declined(code, payment_intent=outside(sim.need("payment_intent", invoice["_intent"])))
        error.keep = True
        raise error
    return invoice


@route("POST", "/v1/invoices/{id}/void")
def void(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = sim.need("invoice", identity)
    invoices.void(sim, invoice)
    return invoice


@route("POST", "/v1/invoices/{id}/mark_uncollectible")
def mark_uncollectible(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = sim.need("invoice", identity)
    invoices.write_off(sim, invoice)
    return invoice


@route("POST", "/v1/invoices/{id}/send")
def send(sim: Sim, p: Thing, identity: str) -> Thing:
    invoice = sim.need("invoice", identity)
    if invoice["status"] == "draft":
        invoices.finalize(sim, invoice)
    sim.emit("invoice.sent", invoice)
    return invoice


def _payments(sim: Sim, invoice: Thing) -> Thing:
    found = list(sim.store.all("invoice_payment", invoice=invoice["id"]))
    return whole_list(found[::-1], f"/v1/invoice_payments?invoice={invoice['id']}")


INCLUDABLE["invoice", "payments"] = _payments

# -- preview -----------------------------------------------------------------------------------------------------------


@route(
    "POST",
    "/v1/invoices/create_preview",
    {
        "customer": text,
        "subscription": text,
        "currency": text,
        "discounts": DISCOUNTS,
        "subscription_details": {
            "items": [ITEM],
            "billing_cycle_anchor": moment,
            "billing_cycle_anchor_config": ANCHOR_CONFIG,
            "billing_mode": {"type": one_of("flexible", "classic")},
            "cancel_at_period_end": flag,
            "cancel_now": flag,
            "proration_behavior": PRORATION,
            "proration_date": whole,
            "trial_end": moment,
            "start_date": whole,
        },
    },
)
def create_preview(sim: Sim, p: Thing) -> Thing:
    """The invoice that a change would make at once, or the next renewal's with the change in it.

    The change is made, the invoice looked at, and everything taken back: so a preview is what the invoice will be.
    """
    try:
        invoice = _previewed(sim, p)
        answer = outside(invoice)
    finally:
        request = dict(sim.request)
        sim.rollback()
        sim.begin(request["id"], request["idempotency_key"])
    answer |= {
        "id": f"upcoming_{answer['id']}",
        "status": "draft",
        "number": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "attempted": False,
        "attempt_count": 0,
        "amount_paid": 0,
        "amount_remaining": answer["amount_due"],
        "status_transitions": dict.fromkeys(answer["status_transitions"]),
        "effective_at": None,
        "ending_balance": answer["ending_balance"],
        "auto_advance": False,
    }
    answer.pop("confirmation_secret", None)
    for line in answer["lines"]["data"]:
        line["invoice"] = answer["id"]
    return dict(answer)


def _previewed(sim: Sim, p: Thing) -> Thing:
    details = p.get("subscription_details") or {}
    sim.settings["decline"] = {}  # until all is taken back
    try:
        if not p.get("subscription"):
            return of_new(sim, p, details)
        subscription = sim.need("subscription", p["subscription"], "subscription")
        if subscription["status"] in subscriptions.ENDED:
            raise invalid("No upcoming invoices for this subscription.", code="invoice_upcoming_none")
        before = subscription["latest_invoice"]
        if details.get("cancel_now"):
            subscriptions.end_subscription(
                sim,
                subscription,
                prorate=details.get("proration_behavior", "create_prorations") != "none",
                invoice_now=True,
            )
        else:
            names = (
                "items",
                "billing_cycle_anchor",
                "cancel_at_period_end",
                "proration_behavior",
                "proration_date",
                "trial_end",
            )
            change = {name: details[name] for name in names if name in details}
            if "discounts" in p:
                change["discounts"] = p["discounts"]
            if change:
                subscriptions.change(sim, subscription, change)
        if subscription["latest_invoice"] != before:
            return sim.need("invoice", subscription["latest_invoice"])
        if subscription["cancel_at_period_end"] or subscription["status"] == "canceled":
            return _last(sim, subscription)
        at = subscriptions.period_of(subscription)[1]
        sim.at(at)
        if subscription["status"] == "trialing":
            subscription["trial_settings"] = {"end_behavior": {"missing_payment_method": "create_invoice"}}
            subscriptions.end_trial(sim, subscription)
        else:
            _enter_next_phase(sim, subscription, at)
            subscriptions.renew(sim, subscription)
        return sim.need("invoice", subscription["latest_invoice"])
    finally:
        sim.at(None)


def _enter_next_phase(sim: Sim, subscription: Thing, at: int) -> None:
    from ops.stripe_sim.schedules import advance_schedule

    if subscription["schedule"]:
        schedule = sim.need("subscription_schedule", subscription["schedule"])
        if schedule["status"] == "active" and schedule["current_phase"]["end_date"] <= at:
            advance_schedule(sim, schedule)


def _last(sim: Sim, subscription: Thing) -> Thing:
    before = subscription["latest_invoice"]
    sim.at(subscriptions.period_of(subscription)[1])
    subscriptions.end_subscription(sim, subscription, at_period_end=True)
    if subscription["latest_invoice"] == before:
        raise invalid("No upcoming invoices for this subscription.", code="invoice_upcoming_none")
    return sim.need("invoice", subscription["latest_invoice"])


def of_new(sim: Sim, p: Thing, details: Thing) -> Thing:
    """The first invoice that a subscription would have. The caller takes it back."""
    if not details.get("items"):
        raise invalid("Give a subscription, or subscription_details[items].", param="subscription_details[items]")
    if p.get("customer"):
        customer = living(sim, p["customer"])
    else:
        from ops.stripe_sim.customers import create_customer

        customer = create_customer(sim, {})
    given = {name: details[name] for name in details if name not in ("cancel_now", "start_date", "proration_date")}
    given |= {"discounts": p.get("discounts"), "payment_behavior": "default_incomplete"}
    subscription = subscriptions.start(sim, customer, given)
    if subscription["latest_invoice"] is None:
        raise invalid("There is nothing to charge at the start.", code="invoice_upcoming_none")
    return sim.need("invoice", subscription["latest_invoice"])


# -- invoice items -----------------------------------------------------------------------------------------------------

_ITEM = {"amount": whole, "description": text, "discountable": flag, "metadata": metadata, "quantity": whole}


@route(
    "POST",
    "/v1/invoiceitems",
    _ITEM
    | {
        "customer": text,
        "currency": text,
        "invoice": text,
        "subscription": text,
        "unit_amount_decimal": number,
        "pricing": {"price": text},
        "period": {"start": whole, "end": whole},
    },
)
def create_item(sim: Sim, p: Thing) -> Thing:
    require(p, "customer")
    customer = living(sim, p["customer"])
    now = sim.now_of(customer["id"])
    quantity = p.get("quantity") or 1
    price = sim.need("price", p["pricing"]["price"], "pricing[price]") if p.get("pricing") else None
    unit = Decimal(price["unit_amount_decimal"]) if price is not None else p.get("unit_amount_decimal")
    amount = p.get("amount")
    if amount is None:
        if unit is None:
            raise invalid("Give an amount, a unit amount or a price.", code="parameter_missing", param="amount")
        amount = rounded(unit * quantity)
    currency = (price or p).get("currency") or customer["currency"] or "usd"
    invoice = sim.need("invoice", p["invoice"], "invoice") if p.get("invoice") else None
    if invoice is not None:
        invoices.must_be(invoice, "draft")
    subscription = p.get("subscription")
    parent = None
    if subscription:
        sim.need("subscription", subscription, "subscription")
        parent = {
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription, "subscription_item": None},
        }
    period = p.get("period") or {"start": now, "end": now}
    item = sim.add(
        "invoiceitem",
        "ii",
        amount=amount,
        currency=currency,
        customer=customer["id"],
        customer_account=None,
        date=now,
        description=p.get("description"),
        discountable=p.get("discountable", amount > 0),
        discounts=[],
        invoice=invoice["id"] if invoice is not None else None,
        metadata=p.get("metadata") or {},
        net_amount=amount,
        parent=parent,
        period=period,
        pricing={
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        }
        if price is not None
        else None,
        proration=False,
        proration_details={"discount_amounts": []},
        quantity=quantity,
        quantity_decimal=str(quantity),
        tax_rates=[],
        test_clock=customer["test_clock"],
        _price=price,
    )
    if invoice is not None:
        invoice["_fixed"].append(subscriptions.line_of(item))
        invoices.count(sim, invoice)
    sim.emit("invoiceitem.created", item)
    return item


@route("GET", "/v1/invoiceitems/{id}")
def retrieve_item(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("invoiceitem", identity)


@route("GET", "/v1/invoiceitems", PAGE | CREATED | {"customer": text, "invoice": text, "pending": flag})
def list_items(sim: Sim, p: Thing) -> Thing:
    equal = {name: p[name] for name in ("customer", "invoice") if name in p}
    found = list(sim.store.all("invoiceitem", **equal))
    if "pending" in p:
        found = [each for each in found if (each["invoice"] is None) == p["pending"]]
    return listed(found, p, "/v1/invoiceitems")


@route("DELETE", "/v1/invoiceitems/{id}")
def delete_item(sim: Sim, p: Thing, identity: str) -> Thing:
    item = sim.need("invoiceitem", identity)
    if item["invoice"] is not None:
        raise invalid("Only invoice items that wait for an invoice can be deleted here.")
    sim.store.remove(item)
    sim.emit("invoiceitem.deleted", item)
    return {"id": identity, "object": "invoiceitem", "deleted": True}


# -- what paid them ----------------------------------------------------------------------------------------------------


@route("GET", "/v1/invoice_payments", PAGE | {"invoice": text, "status": text})
def list_payments(sim: Sim, p: Thing) -> Thing:
    equal = {name: p[name] for name in ("invoice", "status") if name in p}
    return listed(sim.store.all("invoice_payment", **equal), p, "/v1/invoice_payments")


@route("GET", "/v1/invoice_payments/{id}")
def retrieve_payment(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("invoice_payment", identity)


@route("GET", "/v1/payment_intents/{id}", {"client_secret": text})
def retrieve_intent(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("payment_intent", identity)


@route("GET", "/v1/payment_intents", PAGE | CREATED | {"customer": text})
def list_intents(sim: Sim, p: Thing) -> Thing:
    equal = {"customer": p["customer"]} if p.get("customer") else {}
    return listed(sim.store.all("payment_intent", **equal), p, "/v1/payment_intents")


@route("GET", "/v1/charges/{id}")
def retrieve_charge(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("charge", identity)


@route("GET", "/v1/charges", PAGE | CREATED | {"customer": text, "payment_intent": text})
def list_charges(sim: Sim, p: Thing) -> Thing:
    equal = {name: p[name] for name in ("customer", "payment_intent") if name in p}
    return listed(sim.store.all("charge", **equal), p, "/v1/charges")
