"""An invoice's life: draft → open → paid, uncollectible or void. Who calls it and when is told elsewhere."""

from typing import Any, Final

from ops.stripe_sim.calendar import DAY
from ops.stripe_sim.cards import refusal
from ops.stripe_sim.customers import add_to_balance
from ops.stripe_sim.discounts import applied, count_once
from ops.stripe_sim.errors import declined, invalid
from ops.stripe_sim.lines import arrears, numbered
from ops.stripe_sim.routing import whole_list
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing

_NO_TAX: Final = {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None}


def draft(
    sim: Sim,
    customer: Thing,
    *,
    reason: str,
    currency: str,
    period: tuple[int, int],
    lines: list[Thing],
    subscription: Thing | None = None,
    metered: list[Thing] | None = None,
    **fields: Any,
) -> Thing:
    """A new draft. `metered` are stretches of usage that it charges; they are counted again when it is finalized."""
    now = sim.now_of(customer["id"])
    automatic = subscription is None or subscription["collection_method"] == "charge_automatically"
    parent = None
    if subscription is not None:
        details = {
            "metadata": subscription["metadata"],
            "subscription": subscription["id"],
            "subscription_proration_date": fields.pop("proration_date", None),
        }
        parent = {"type": "subscription_details", "quote_details": None, "subscription_details": details}
    invoice = sim.add(
        "invoice",
        "in",
        created=now,
        account_country="US",
        account_name="Natter (simulator)",
        account_tax_ids=None,
        amount_due=0,
        amount_overpaid=0,
        amount_paid=0,
        amount_remaining=0,
        amount_shipping=0,
        application=None,
        attempt_count=0,
        attempted=False,
        auto_advance=True,
        automatic_tax=_NO_TAX,
        automatically_finalizes_at=now + sim.settings["invoice_grace"],
        billing_reason=reason,
        collection_method="charge_automatically" if automatic else "send_invoice",
        currency=currency,
        custom_fields=None,
        customer=customer["id"],
        customer_account=None,
        customer_address=customer["address"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        customer_phone=customer["phone"],
        customer_shipping=None,
        customer_tax_exempt=customer["tax_exempt"],
        customer_tax_ids=[
            {"type": each["type"], "value": each["value"]} for each in sim.store.all("tax_id", customer=customer["id"])
        ],
        default_payment_method=None,
        default_source=None,
        default_tax_rates=[],
        description=None,
        discounts=list(subscription["discounts"]) if subscription is not None else [],
        due_date=None,
        effective_at=None,
        ending_balance=None,
        footer=customer["invoice_settings"]["footer"],
        from_invoice=None,
        hosted_invoice_url=None,
        invoice_pdf=None,
        issuer={"type": "self"},
        last_finalization_error=None,
        latest_revision=None,
        lines={},
        metadata={},
        next_payment_attempt=None,
        number=None,
        on_behalf_of=None,
        parent=parent,
        payment_settings={"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        period_end=period[1],
        period_start=period[0],
        post_payment_credit_notes_amount=0,
        pre_payment_credit_notes_amount=0,
        receipt_number=None,
        rendering=None,
        shipping_cost=None,
        shipping_details=None,
        starting_balance=0,
        statement_descriptor=None,
        status="draft",
        status_transitions={
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        subtotal=0,
        subtotal_excluding_tax=0,
        test_clock=customer["test_clock"],
        total=0,
        total_discount_amounts=[],
        total_excluding_tax=0,
        total_pretax_credit_amounts=[],
        total_taxes=[],
        webhooks_delivered_at=now,
        _subscription=subscription["id"] if subscription is not None else None,
        _fixed=lines,
        _metered=metered or [],
        _intent=None,
        _first_failed=None,
    )
    if not automatic and subscription is not None:
        invoice["due_date"] = now + (subscription["days_until_due"] or 30) * DAY
    invoice |= fields
    count(sim, invoice)
    return invoice


def count(sim: Sim, invoice: Thing) -> None:
    """A draft's lines and totals, from what is known now."""
    found = [*invoice["_fixed"], *(line for each in invoice["_metered"] for line in arrears(sim, invoice, each))]
    data = numbered(invoice, found)
    discounts = applied(sim, invoice["discounts"], data)
    subtotal = sum(line["amount"] for line in data)
    total = subtotal - sum(discounts.values())
    each_discount = [{"amount": amount, "discount": discount} for discount, amount in discounts.items()]
    customer = sim.need("customer", invoice["customer"])
    due, _ = _with_balance(total, customer["balance"])
    invoice |= {
        "lines": whole_list(data, f"/v1/invoices/{invoice['id']}/lines"),
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_excluding_tax": total,
        "total_discount_amounts": each_discount,
        "total_pretax_credit_amounts": [each | {"type": "discount"} for each in each_discount],
        "starting_balance": customer["balance"],
        "amount_due": due,
        "amount_remaining": due,
    }


def _with_balance(total: int, balance: int) -> tuple[int, int]:
    """What is due, and the balance afterwards. Credit pays first; what the customer owes is added."""
    together = total + balance
    return (together, 0) if together > 0 else (0, together)


def must_be(invoice: Thing, *statuses: str) -> None:
    """Raises Stripe's refusal when the invoice is in another state."""
    if invoice["status"] not in statuses:
        raise invalid(
            f"This invoice is {invoice['status']}, and this needs one that is {' or '.join(statuses)}.",
            code="invoice_not_editable",
        )


def finalize(sim: Sim, invoice: Thing) -> None:
    """Number it and fix its amounts for ever. One that asks for nothing is paid at once."""
    must_be(invoice, "draft")
    count(sim, invoice)
    now = sim.now_of(invoice["customer"])
    customer = sim.need("customer", invoice["customer"])
    due, after = _with_balance(invoice["total"], customer["balance"])
    small = 0 < due < sim.settings["smallest_charge"] and invoice["collection_method"] == "charge_automatically"
    if moved := after - customer["balance"]:
        add_to_balance(sim, customer, moved, "applied_to_invoice", invoice["id"])
    if small:
        add_to_balance(sim, customer, due, "invoice_too_small", invoice["id"])
        due, after = 0, customer["balance"]
    customer["currency"] = customer["currency"] or invoice["currency"]
    invoice |= {
        "number": f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}",
        "status": "open",
        "effective_at": now,
        "automatically_finalizes_at": None,
        "amount_due": due,
        "amount_remaining": due,
        "ending_balance": after,
        "hosted_invoice_url": f"{sim.base_url}/i/{invoice['id']}",
        "invoice_pdf": f"{sim.base_url}/i/{invoice['id']}/pdf",
    }
    customer["next_invoice_sequence"] += 1
    invoice["status_transitions"]["finalized_at"] = now
    count_once(sim, invoice)
    if due:
        _ask_for_payment(sim, invoice)
    sim.emit("invoice.finalized", invoice)
    if not due:
        invoice["attempted"] = True
        _paid(sim, invoice, None)


def _ask_for_payment(sim: Sim, invoice: Thing) -> None:
    intent = sim.add(
        "payment_intent",
        "pi",
        created=sim.now_of(invoice["customer"]),
        amount=invoice["amount_due"],
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        application=None,
        application_fee_amount=None,
        automatic_payment_methods=None,
        canceled_at=None,
        cancellation_reason=None,
        capture_method="automatic",
        confirmation_method="automatic",
        currency=invoice["currency"],
        customer=invoice["customer"],
        customer_account=None,
        description=f"Invoice {invoice['number']}",
        last_payment_error=None,
        latest_charge=None,
        metadata={},
        next_action=None,
        on_behalf_of=None,
        payment_method=None,
        payment_method_configuration_details=None,
        payment_method_options={},
        payment_method_types=["card"],
        processing=None,
        receipt_email=None,
        review=None,
        setup_future_usage="off_session" if invoice["_subscription"] else None,
        shipping=None,
        source=None,
        statement_descriptor=None,
        statement_descriptor_suffix=None,
        status="requires_payment_method",
        transfer_data=None,
        transfer_group=None,
    )
    intent["client_secret"] = f"{intent['id']}_secret_{sim.store.new_id('x')[2:]}"
    invoice["_intent"] = intent["id"]
    invoice["confirmation_secret"] = {"client_secret": intent["client_secret"], "type": "payment_intent"}
    sim.emit("payment_intent.created", intent)
    _payment(sim, invoice, {"type": "payment_intent", "payment_intent": intent["id"]})


def _payment(sim: Sim, invoice: Thing, payment: Thing) -> Thing:
    return sim.add(
        "invoice_payment",
        "inpay",
        created=sim.now_of(invoice["customer"]),
        amount_paid=None,
        amount_requested=invoice["amount_due"],
        currency=invoice["currency"],
        invoice=invoice["id"],
        is_default=True,
        payment=payment,
        status="open",
        status_transitions={"canceled_at": None, "paid_at": None},
    )


def method_for(sim: Sim, invoice: Thing) -> Thing | None:
    """The card that would be charged: the invoice's, the subscription's, or the customer's own."""
    customer = sim.need("customer", invoice["customer"])
    subscription = sim.store.get("subscription", invoice["_subscription"]) if invoice["_subscription"] else None
    for identity in (
        invoice["default_payment_method"],
        subscription["default_payment_method"] if subscription else None,
        customer["invoice_settings"]["default_payment_method"],
    ):
        if identity and (method := sim.store.get("payment_method", identity)) is not None:
            return method
    return None


def pay(sim: Sim, invoice: Thing, method: Thing | None = None, *, present: bool = False) -> str:
    """Try once to be paid by card. Returns the decline code, "" for success.

    A failure is recorded, told, and the next try is planned; the subscription follows (`subscriptions.follow`).
    """
    must_be(invoice, "open", "uncollectible")
    card = method or method_for(sim, invoice)
    code = refusal(sim, card, invoice["customer"], present=present)
    invoice["attempt_count"] += 1
    invoice["attempted"] = True
    if code:
        _failed(sim, invoice, card, code)
        return code
    assert card is not None
    charge = _charge(sim, invoice, card, "")
    intent = sim.need("payment_intent", invoice["_intent"])
    intent |= {
        "amount_received": invoice["amount_due"],
        "latest_charge": charge["id"],
        "payment_method": card["id"],
        "status": "succeeded",
        "last_payment_error": None,
    }
    sim.emit("charge.succeeded", charge)
    sim.emit("payment_intent.succeeded", intent)
    _paid(sim, invoice, charge)
    return ""


def pay_elsewhere(sim: Sim, invoice: Thing) -> None:
    """Mark it paid out of band."""
    must_be(invoice, "open", "uncollectible")
    _paid(sim, invoice, None)


def _paid(sim: Sim, invoice: Thing, charge: Thing | None) -> None:
    from ops.stripe_sim.subscriptions import follow

    now = sim.now_of(invoice["customer"])
    invoice |= {
        "status": "paid",
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "next_payment_attempt": None,
        "auto_advance": False,
    }
    invoice["status_transitions"]["paid_at"] = now
    customer = sim.need("customer", invoice["customer"])
    for payment in sim.store.all("invoice_payment", invoice=invoice["id"]):
        payment |= {"amount_paid": invoice["amount_due"], "status": "paid"}
        payment["status_transitions"]["paid_at"] = now
        sim.emit("invoice_payment.paid", payment)
    if customer["delinquent"] and not any(
        other["_first_failed"] for other in sim.store.all("invoice", customer=customer["id"], status="open")
    ):
        customer["delinquent"] = False
        sim.emit("customer.updated", customer)
    sim.emit("invoice.updated", invoice)
    sim.emit("invoice.paid", invoice)
    sim.emit("invoice.payment_succeeded", invoice)
    follow(sim, invoice)


def _failed(sim: Sim, invoice: Thing, card: Thing | None, code: str) -> None:
    from ops.stripe_sim.subscriptions import follow

    now = sim.now_of(invoice["customer"])
    error = declined(code if card else "generic_decline").error
    intent = sim.need("payment_intent", invoice["_intent"])
    if card is not None:
        charge = _charge(sim, invoice, card, code)
        intent["latest_charge"] = charge["id"]
        sim.emit("charge.failed", charge)
    needs_person = code == "authentication_required"
    intent |= {
        "status": "requires_action" if needs_person else "requires_payment_method",
        "last_payment_error": {
            name: error[name] for name in ("type", "code", "decline_code", "message", "doc_url") if name in error
        },
    }
    sim.emit("payment_intent.payment_failed", intent)
    invoice["_first_failed"] = invoice["_first_failed"] or now
    days = sim.settings["retry_days"]
    tries = invoice["attempt_count"] - 1
    automatic = invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically"
    later = [invoice["_first_failed"] + day * DAY for day in days[tries:]] if automatic else []
    invoice["next_payment_attempt"] = next((each for each in later if each > now), None)
    customer = sim.need("customer", invoice["customer"])
    if not customer["delinquent"]:
        customer["delinquent"] = True
        sim.emit("customer.updated", customer)
    sim.emit("invoice.updated", invoice)
    sim.emit("invoice.payment_failed", invoice)
    if needs_person:
        sim.emit("invoice.payment_action_required", invoice)
    follow(sim, invoice)


def _charge(sim: Sim, invoice: Thing, card: Thing, code: str) -> Thing:
    failed = declined(code).error if code else {}
    charge = sim.add(
        "charge",
        "ch",
        created=sim.now_of(invoice["customer"]),
        amount=invoice["amount_due"],
        amount_captured=0 if code else invoice["amount_due"],
        amount_refunded=0,
        application=None,
        application_fee=None,
        application_fee_amount=None,
        balance_transaction=None,
        billing_details=card["billing_details"],
        calculated_statement_descriptor="NATTER",
        captured=not code,
        currency=invoice["currency"],
        customer=invoice["customer"],
        description=f"Invoice {invoice['number']}",
        disputed=False,
        failure_balance_transaction=None,
        failure_code=failed.get("code"),
        failure_message=failed.get("message"),
        fraud_details={},
        metadata={},
        on_behalf_of=None,
        outcome={
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "declined_by_network" if code else "approved_by_network",
            "reason": code or None,
            "risk_level": "normal",
            "risk_score": 1,
            "seller_message": "The bank declined." if code else "Payment complete.",
            "type": "issuer_declined" if code else "authorized",
        },
        paid=not code,
        payment_intent=invoice["_intent"],
        payment_method=card["id"],
        payment_method_details={
            "card": {
                name: card["card"][name]
                for name in ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
            },
            "type": "card",
        },
        radar_options={},
        receipt_email=None,
        receipt_number=None,
        refunded=False,
        review=None,
        shipping=None,
        source=None,
        source_transfer=None,
        statement_descriptor=None,
        statement_descriptor_suffix=None,
        status="failed" if code else "succeeded",
        transfer_data=None,
        transfer_group=None,
    )
    charge["receipt_url"] = None if code else f"{sim.base_url}/receipts/{charge['id']}"
    return charge


def void(sim: Sim, invoice: Thing) -> None:
    """Take it back. A credit that it used returns to the balance."""
    from ops.stripe_sim.subscriptions import follow

    must_be(invoice, "open", "uncollectible")
    customer = sim.need("customer", invoice["customer"])
    moved = invoice["starting_balance"] - (invoice["ending_balance"] or 0)
    if moved:
        add_to_balance(sim, customer, moved, "unapplied_from_invoice", invoice["id"])
    invoice |= {"status": "void", "next_payment_attempt": None, "auto_advance": False, "amount_remaining": 0}
    invoice["status_transitions"]["voided_at"] = sim.now_of(invoice["customer"])
    _drop_intent(sim, invoice, "void_invoice")
    sim.emit("invoice.updated", invoice)
    sim.emit("invoice.voided", invoice)
    follow(sim, invoice)


def write_off(sim: Sim, invoice: Thing) -> None:
    """Mark it uncollectible. It can still be paid."""
    must_be(invoice, "open")
    invoice |= {"status": "uncollectible", "next_payment_attempt": None, "auto_advance": False}
    invoice["status_transitions"]["marked_uncollectible_at"] = sim.now_of(invoice["customer"])
    sim.emit("invoice.updated", invoice)
    sim.emit("invoice.marked_uncollectible", invoice)


def _drop_intent(sim: Sim, invoice: Thing, reason: str) -> None:
    if invoice["_intent"]:
        intent = sim.need("payment_intent", invoice["_intent"])
        intent |= {"status": "canceled", "canceled_at": sim.now_of(invoice["customer"]), "cancellation_reason": reason}
        sim.emit("payment_intent.canceled", intent)
