"""A subscription's life: start, change, trial, renewal, failure, pause, end. Routes are in `subscription_routes`."""

from decimal import Decimal
from typing import Any, Final

from ops.stripe_sim import invoices
from ops.stripe_sim.calendar import DAY, HOUR, boundary, interval_around, next_day_of_month
from ops.stripe_sim.cards import refusal
from ops.stripe_sim.catalog import plan_of
from ops.stripe_sim.discounts import drop_ended, percent_kept, redeem
from ops.stripe_sim.errors import declined, invalid
from ops.stripe_sim.forms import merged
from ops.stripe_sim.lines import licensed, line, metered, proration
from ops.stripe_sim.routing import whole_list
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing

ENDED: Final = ("canceled", "incomplete_expired")
TRIAL_NOTICE: Final = 3 * DAY
INCOMPLETE_FOR: Final = 23 * HOUR

# -- items -------------------------------------------------------------------------------------------------------------


def items_of(subscription: Thing) -> list[Thing]:
    result: list[Thing] = subscription["items"]["data"]
    return result


def new_item(sim: Sim, subscription: Thing, given: Thing, period: tuple[int, int]) -> Thing:
    """An item of a price that is active and fits the others."""
    price = usable_price(sim, given.get("price"), [item["price"] for item in items_of(subscription)])
    is_metered = price["recurring"]["usage_type"] == "metered"
    if is_metered and given.get("quantity") is not None:
        raise invalid("A quantity cannot be set for a metered price.", param="quantity")
    item = {
        "id": sim.store.new_id("si", 14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": sim.now_of(subscription["customer"]),
        "current_period_end": period[1],
        "current_period_start": period[0],
        "discounts": [],
        "metadata": given.get("metadata") or {},
        "plan": plan_of(price),
        "price": price,
        "subscription": subscription["id"],
        "tax_rates": [],
    }
    if not is_metered:
        item["quantity"] = 1 if given.get("quantity") is None else given["quantity"]
    items_of(subscription).append(item)
    return item


def usable_price(sim: Sim, identity: str | None, beside: list[Thing]) -> Thing:
    """A copy of a price for an item, of the same currency and interval as the items beside it."""
    if not identity:
        raise invalid("Missing required param: items[0][price].", code="parameter_missing", param="items[0][price]")
    price = dict(sim.need("price", identity, "items[0][price]"))
    if not price["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.", param="price")
    if price["recurring"] is None:
        raise invalid("The price specified is set to `type=one_time`; this needs `type=recurring`.", param="price")
    for other in beside:
        if other["currency"] != price["currency"]:
            raise invalid("All prices on a subscription must have the same currency.", param="price")
        if any(other["recurring"][name] != price["recurring"][name] for name in ("interval", "interval_count")):
            raise invalid("The simulator wants the same interval for all prices of a subscription.", param="price")
    return price


# -- start -------------------------------------------------------------------------------------------------------------


def start(sim: Sim, customer: Thing, p: Thing, *, present: bool = False) -> Thing:
    """Create a subscription, its first invoice, and pay that. `present`: the customer is there, on a Checkout page.

    Raises `declined` where `payment_behavior` or the customer's presence wants no unpaid subscription.
    """
    now = sim.now_of(customer["id"])
    if not p.get("items"):
        raise invalid("Missing required param: items.", code="parameter_missing", param="items")
    subscription = _blank(sim, customer, p, now)
    for given in p["items"]:
        new_item(sim, subscription, given, (now, now))
    prices = [item["price"]["id"] for item in items_of(subscription)]
    if len(set(prices)) < len(prices):
        raise invalid("Cannot add multiple subscription items with the same price.", param="items")
    price = items_of(subscription)[0]["price"]
    subscription["currency"] = price["currency"]
    if customer["currency"] not in (None, price["currency"]):
        raise invalid(f"You cannot combine currencies on a single customer ({customer['currency']}).", param="currency")
    trial_end = _trial_end(p, now)
    anchor = _anchor(p, now)
    recurring = price["recurring"]
    if p.get("billing_cycle_anchor") and anchor is not None:
        natural = boundary(trial_end or now, recurring["interval"], recurring["interval_count"], 1)
        if not now < anchor <= natural:
            raise invalid(
                "billing_cycle_anchor must be in the future and cannot be later than next natural billing date "
                f"({natural}) for plan.",
                param="billing_cycle_anchor",
            )
    subscription["billing_cycle_anchor"] = anchor or trial_end or now
    subscription["discounts"] = redeem(sim, p.get("discounts") or [], customer, subscription["id"])
    if trial_end is not None:
        subscription |= {"trial_start": now, "trial_end": trial_end, "status": "trialing"}
        _set_period(subscription, now, trial_end)
    else:
        subscription["status"] = "incomplete"
        _set_period(subscription, now, _period_end(subscription, now))
    if p.get("cancel_at_period_end"):
        subscription |= _ending(subscription, now)
    _first_invoice(sim, customer, subscription, p, now, present)
    return subscription


def _blank(sim: Sim, customer: Thing, p: Thing, now: int) -> Thing:
    subscription = sim.add(
        "subscription",
        "sub",
        created=now,
        application=None,
        application_fee_percent=None,
        automatic_tax={"disabled_reason": None, "enabled": False, "liability": None},
        billing_cycle_anchor=now,
        billing_cycle_anchor_config=p.get("billing_cycle_anchor_config"),
        billing_mode=mode_of((p.get("billing_mode") or {}).get("type") or "flexible"),
        billing_schedules=[],
        billing_thresholds=None,
        cancel_at=p.get("cancel_at"),
        cancel_at_period_end=False,
        canceled_at=now if p.get("cancel_at") else None,
        cancellation_details={"comment": None, "feedback": None, "reason": None},
        collection_method=p.get("collection_method") or "charge_automatically",
        currency="usd",
        customer=customer["id"],
        customer_account=None,
        days_until_due=p.get("days_until_due"),
        default_payment_method=p.get("default_payment_method"),
        default_source=None,
        default_tax_rates=[],
        description=p.get("description"),
        discounts=[],
        ended_at=None,
        invoice_settings={"account_tax_ids": None, "issuer": {"type": "self"}},
        items={},
        latest_invoice=None,
        metadata=p.get("metadata") or {},
        next_pending_invoice_item_invoice=None,
        on_behalf_of=None,
        pause_collection=None,
        payment_settings={
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        pending_invoice_item_interval=None,
        pending_setup_intent=None,
        pending_update=None,
        schedule=None,
        start_date=now,
        status="incomplete",
        test_clock=customer["test_clock"],
        transfer_data=None,
        trial_end=None,
        trial_settings={"end_behavior": {"missing_payment_method": "create_invoice"}},
        trial_start=None,
        _told_trial=False,
        _retries_over=False,
    )
    if p.get("trial_settings"):
        subscription["trial_settings"] = p["trial_settings"]
    subscription["items"] = whole_list([], f"/v1/subscription_items?subscription={subscription['id']}")
    return subscription


def mode_of(kind: str) -> Thing:
    """`flexible`, which is the default, or `classic`: they differ in what a metered price that changes charges."""
    return {"flexible": {"proration_discounts": "included"} if kind == "flexible" else None, "type": kind}


def _trial_end(p: Thing, now: int) -> int | None:
    end, days = p.get("trial_end"), p.get("trial_period_days")
    if end is not None and days is not None:
        raise invalid("Give trial_end or trial_period_days, not both.", code="parameters_exclusive", param="trial_end")
    if end == "now":
        return None
    result = now + days * DAY if days else end
    if result is not None and result <= now:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    return int(result) if result is not None else None


def _anchor(p: Thing, now: int) -> int | None:
    if config := p.get("billing_cycle_anchor_config"):
        at = {name: config.get(name) or 0 for name in ("hour", "minute", "second")}
        return next_day_of_month(now, config["day_of_month"], **at)
    return p.get("billing_cycle_anchor")


def _period_end(subscription: Thing, moment: int) -> int:
    recurring = items_of(subscription)[0]["price"]["recurring"]
    anchor = subscription["billing_cycle_anchor"]
    return interval_around(anchor, recurring["interval"], recurring["interval_count"], moment)[1]


def _set_period(subscription: Thing, begin: int, end: int) -> None:
    for item in items_of(subscription):
        item |= {"current_period_start": begin, "current_period_end": end}
        item.pop("_since", None)


def period_of(subscription: Thing) -> tuple[int, int]:
    first = items_of(subscription)[0]
    return first["current_period_start"], first["current_period_end"]


def _first_invoice(sim: Sim, customer: Thing, subscription: Thing, p: Thing, now: int, present: bool) -> None:
    begin, end = period_of(subscription)
    free = "Free trial" if subscription["status"] == "trialing" else ""
    if not free and p.get("proration_behavior") == "none" and subscription["billing_cycle_anchor"] > now:
        free = "No charge before the first period"
    found = [
        each
        for item in items_of(subscription)
        if not metered(item)
        for each in licensed(sim, subscription, item, begin, end, free=free)
    ]
    found += [_added_line(sim, subscription, each, (begin, end)) for each in p.get("add_invoice_items") or []]
    if not found:  # usage alone: nothing to charge yet
        if subscription["status"] == "incomplete":
            subscription["status"] = "active"
        sim.emit("customer.subscription.created", subscription)
        return
    invoice = invoices.draft(
        sim,
        customer,
        reason="subscription_create",
        currency=subscription["currency"],
        period=(now, now),
        lines=found,
        subscription=subscription,
    )
    subscription["latest_invoice"] = invoice["id"]
    behavior = p.get("payment_behavior") or "allow_incomplete"
    automatic = subscription["collection_method"] == "charge_automatically"
    due = invoice["amount_due"] >= sim.settings["smallest_charge"]
    if automatic and due and behavior != "default_incomplete" and invoices.method_for(sim, invoice) is None:
        raise invalid(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    if automatic and due and (present or behavior == "error_if_incomplete"):
        code = refusal(sim, invoices.method_for(sim, invoice), customer["id"], present=present)
        if code:
            raise declined(code)
    sim.emit("customer.subscription.created", subscription)
    sim.emit("invoice.created", invoice)
    if subscription["status"] == "incomplete" and not automatic:
        subscription["status"] = "active"
    invoices.finalize(sim, invoice)
    if automatic and invoice["status"] == "open" and behavior != "default_incomplete":
        invoices.pay(sim, invoice, present=present)


def _added_line(sim: Sim, subscription: Thing, given: Thing, period: tuple[int, int]) -> Thing:
    price = sim.need("price", given.get("price") or "", "add_invoice_items[0][price]")
    quantity = given.get("quantity") or 1
    return line(
        amount=price["unit_amount"] * quantity,
        currency=price["currency"],
        description=price["nickname"] or price["id"],
        period=(period[0], period[0]),
        price=price,
        quantity=quantity,
        unit_amount=Decimal(price["unit_amount_decimal"]),
        subscription=subscription["id"],
        invoice_item=sim.store.new_id("ii"),
    )


# -- change ------------------------------------------------------------------------------------------------------------


def change(sim: Sim, subscription: Thing, p: Thing) -> None:
    """Update it, with prorations as `proration_behavior` says: pending, invoiced at once, or none."""
    if subscription["status"] in ENDED:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    customer = sim.need("customer", subscription["customer"])
    now = sim.now_of(customer["id"])
    behavior = p.get("proration_behavior") or "create_prorations"
    moment = p.get("proration_date") or now
    begin, end = period_of(subscription)
    if not begin <= moment <= end:
        raise invalid("proration_date must be within the current period.", param="proration_date")
    made: list[Thing] = []
    trialing = subscription["status"] == "trialing"
    restart = p.get("billing_cycle_anchor") == "now"
    if p.get("items"):
        restart = _change_items(sim, subscription, p["items"], behavior, moment, made, free=trialing) or restart
    _plain_changes(sim, subscription, customer, p, now)
    ends_trial = trialing and (p.get("trial_end") == "now" or restart)
    if p.get("trial_end") not in (None, "now"):
        _move_trial(subscription, p["trial_end"], now)
    if ends_trial or restart:
        _restart(sim, subscription, customer, now, made, behavior, reset=not trialing or restart)
    elif behavior == "always_invoice" and made:
        invoice = _invoice_now(sim, subscription, customer, made, moment)
        _collect(sim, subscription, invoice, p.get("payment_behavior"))
    sim.emit("customer.subscription.updated", subscription)


def _change_items(
    sim: Sim, subscription: Thing, given: list[Thing], behavior: str, moment: int, made: list[Thing], *, free: bool
) -> bool:
    """Change items; invoice items for the difference go to `made`. Says whether the interval changed."""
    period = period_of(subscription)
    wanted = {each["id"]: each for each in given if each.get("id")}
    known = {item["id"] for item in items_of(subscription)}
    for identity in wanted:
        if identity not in known:
            raise invalid(f"No such subscription item: '{identity}'", code="resource_missing", param="items[0][id]")
    kept = percent_kept(sim, subscription["discounts"])
    interval = items_of(subscription)[0]["price"]["recurring"]
    prorate = behavior != "none" and not free and moment < period[1]
    old = {item["id"]: dict(item) for item in items_of(subscription)}
    for item in list(items_of(subscription)):
        each = wanted.get(item["id"])
        if each is not None and each.get("deleted"):
            items_of(subscription).remove(item)
    for item in items_of(subscription):
        each = wanted.get(item["id"])
        if each is None:
            continue
        if each.get("price") and each["price"] != item["price"]["id"]:
            all_new = [wanted.get(other["id"], {}).get("price") for other in items_of(subscription)]
            beside = [] if all(all_new) else [other["price"] for other in items_of(subscription) if other is not item]
            price = usable_price(sim, each["price"], beside)
            if metered(item) != (price["recurring"]["usage_type"] == "metered"):
                raise invalid(
                    "The simulator does not turn a licensed item into a metered one.", param="items[0][price]"
                )
            if metered(item) and subscription["billing_mode"]["type"] == "flexible" and not free:
                # What was used until now costs the price until now.
                subscription.setdefault("_pieces", []).append(_stretch(subscription, item, period[0], moment))
                item["_since"] = moment
            item |= {"price": price, "plan": plan_of(price)}
        if each.get("quantity") is not None:
            if metered(item):
                raise invalid("A quantity cannot be set for a metered price.", param="quantity")
            item["quantity"] = each["quantity"]
        if "metadata" in each:
            item["metadata"] = merged(item["metadata"], each["metadata"])
    for each in given:
        if not each.get("id"):
            new_item(sim, subscription, each, period)
    if not items_of(subscription):
        raise invalid("A subscription must have at least one active plan.", param="items")
    after = items_of(subscription)[0]["price"]["recurring"]
    restart = any(interval[name] != after[name] for name in ("interval", "interval_count"))
    new = {item["id"]: item for item in items_of(subscription)}
    for identity in [*old, *(each for each in new if each not in old)]:
        was, now = old.get(identity), new.get(identity)
        if was and now and was["price"]["id"] == now["price"]["id"] and was.get("quantity") == now.get("quantity"):
            continue
        if was is not None and now is None and metered(was):
            kept_usage = not free and not (wanted.get(identity) or {}).get("clear_usage")
            if kept_usage and subscription["billing_mode"]["type"] == "classic":
                raise invalid("A metered item with usage is removed with clear_usage=true only.", param="items")
            if kept_usage:
                made += _usage_until(sim, subscription, was, moment)
            continue
        for side, credit in ((was, True), (now, False)):
            if side is None or not prorate or metered(side) or (restart and not credit):
                continue
            told = proration(sim, subscription, side, side["price"], side["quantity"], moment, kept, credit=credit)
            made.append(_pending(sim, subscription, side, told))
    return restart


def _usage_until(sim: Sim, subscription: Thing, item: Thing, moment: int) -> list[Thing]:
    """A metered item that is taken away leaves its usage until then as pending invoice items."""
    from ops.stripe_sim.lines import arrears

    stretch = _stretch(subscription, item, item["current_period_start"], moment)
    found = arrears(sim, {"customer": subscription["customer"]}, stretch)
    return [
        _pending(sim, subscription, item, each, prorated=False, quantity=each["quantity"])
        for each in found
        if each["amount"]
    ]


def _pending(
    sim: Sim, subscription: Thing, item: Thing, told: Thing, *, prorated: bool = True, quantity: int | None = None
) -> Thing:
    price = item["price"]
    count = item.get("quantity") if quantity is None else quantity
    invoice_item = sim.add(
        "invoiceitem",
        "ii",
        amount=told["amount"],
        currency=subscription["currency"],
        customer=subscription["customer"],
        customer_account=None,
        date=sim.now_of(subscription["customer"]),
        description=told["description"],
        discountable=False,
        discounts=[],
        invoice=None,
        metadata={},
        net_amount=told["amount"],
        parent={
            "subscription_details": {"subscription": subscription["id"], "subscription_item": item["id"]},
            "type": "subscription_details",
        },
        period=told["period"],
        pricing={
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        proration=prorated,
        proration_details={"discount_amounts": []},
        quantity=count if count is not None else 1,
        quantity_decimal=str(count if count is not None else 1),
        tax_rates=[],
        test_clock=subscription["test_clock"],
        _price=price,
    )
    sim.emit("invoiceitem.created", invoice_item)
    return invoice_item


def pending_lines(sim: Sim, customer: str, subscription: Thing | None, invoice: str) -> list[Thing]:
    """Lines for the invoice items that wait for this subscription's next invoice; they belong to that from now on."""
    result = []
    own = subscription["id"] if subscription is not None else None
    for each in list(sim.store.all("invoiceitem", customer=customer)):
        details = (each["parent"] or {}).get("subscription_details") or {}
        target = details.get("subscription")
        if each["invoice"] is None and target in (own, None):
            each["invoice"] = invoice
            result.append(line_of(each))
    return result


def line_of(item: Thing) -> Thing:
    """An invoice item as a line."""
    details = (item["parent"] or {}).get("subscription_details") or {}
    return line(
        amount=item["amount"],
        currency=item["currency"],
        description=item["description"] or "",
        period=(item["period"]["start"], item["period"]["end"]),
        price=item["_price"],
        quantity=item["quantity"],
        unit_amount=Decimal(item["pricing"]["unit_amount_decimal"])
        if item["pricing"] and item["pricing"]["unit_amount_decimal"]
        else None,
        subscription=details.get("subscription"),
        item=details.get("subscription_item"),
        invoice_item=item["id"],
        proration=item["proration"],
        discountable=item["discountable"],
        metadata=item["metadata"],
    )


def _plain_changes(sim: Sim, subscription: Thing, customer: Thing, p: Thing, now: int) -> None:
    if "metadata" in p:
        subscription["metadata"] = merged(subscription["metadata"], p["metadata"])
    for name in ("default_payment_method", "description", "days_until_due", "collection_method", "trial_settings"):
        if name in p:
            subscription[name] = p[name]
    if p.get("default_payment_method"):
        method = sim.need("payment_method", p["default_payment_method"], "default_payment_method")
        if method["customer"] != customer["id"]:
            raise invalid("The payment method does not belong to the customer.", param="default_payment_method")
    if p.get("cancellation_details"):
        subscription["cancellation_details"] |= p["cancellation_details"]
    if "discounts" in p:
        subscription["discounts"] = redeem(sim, p["discounts"] or [], customer, subscription["id"])
    if "pause_collection" in p:
        paused = p["pause_collection"]
        subscription["pause_collection"] = paused and {
            "behavior": paused.get("behavior"),
            "resumes_at": paused.get("resumes_at"),
        }
    if p.get("cancel_at_period_end") is True:
        subscription |= _ending(subscription, now)
    elif p.get("cancel_at_period_end") is False or ("cancel_at" in p and p["cancel_at"] is None):
        subscription |= {"cancel_at_period_end": False, "cancel_at": None, "canceled_at": None}
        subscription["cancellation_details"]["reason"] = None
    elif p.get("cancel_at"):
        if p["cancel_at"] <= now:
            raise invalid("cancel_at must be in the future.", param="cancel_at")
        subscription |= {"cancel_at": p["cancel_at"], "canceled_at": now}
        subscription["cancellation_details"]["reason"] = "cancellation_requested"


def _ending(subscription: Thing, now: int) -> Thing:
    details = subscription["cancellation_details"] | {"reason": "cancellation_requested"}
    end = period_of(subscription)[1]
    return {"cancel_at_period_end": True, "cancel_at": end, "canceled_at": now, "cancellation_details": details}


def _move_trial(subscription: Thing, end: int, now: int) -> None:
    if end <= now:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    begin = subscription["trial_start"] if subscription["status"] == "trialing" else now
    if subscription["billing_cycle_anchor"] == subscription["trial_end"] or subscription["status"] != "trialing":
        subscription["billing_cycle_anchor"] = end
    subscription |= {"trial_start": begin, "trial_end": end, "status": "trialing", "_told_trial": False}
    _set_period(subscription, period_of(subscription)[0] if begin != now else now, end)
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = end


def _restart(
    sim: Sim, subscription: Thing, customer: Thing, now: int, made: list[Thing], behavior: str, *, reset: bool
) -> None:
    """A new period begins now: after a trial that was ended, with another interval, or as asked. Paid at once."""
    trialing = subscription["status"] == "trialing"
    if reset and not trialing and not made and behavior != "none":
        kept = percent_kept(sim, subscription["discounts"])
        for item in items_of(subscription):
            if not metered(item):
                told = proration(sim, subscription, item, item["price"], item["quantity"], now, kept, credit=True)
                made.append(_pending(sim, subscription, item, told))
    used = [] if trialing else _unbilled(subscription, now)
    if trialing:
        if subscription["billing_cycle_anchor"] == subscription["trial_end"]:
            subscription["billing_cycle_anchor"] = now
        subscription |= {"trial_end": now, "status": "active"}
    if reset:
        subscription["billing_cycle_anchor"] = now
    _set_period(subscription, now, _period_end(subscription, now))
    invoice = _renewal(sim, subscription, customer, "subscription_update", used)
    invoices.finalize(sim, invoice)
    if invoice["status"] == "open" and invoice["collection_method"] == "charge_automatically":
        invoices.pay(sim, invoice)


def _invoice_now(sim: Sim, subscription: Thing, customer: Thing, made: list[Thing], moment: int) -> Thing:
    invoice = invoices.draft(
        sim,
        customer,
        reason="subscription_update",
        currency=subscription["currency"],
        period=(moment, moment),
        lines=[],
        subscription=subscription,
        proration_date=moment,
    )
    own = {each["id"] for each in made}
    invoice["_fixed"] = []
    for each in list(sim.store.all("invoiceitem", customer=customer["id"], invoice=None)):
        details = (each["parent"] or {}).get("subscription_details") or {}
        if each["id"] in own or (details.get("subscription") == subscription["id"] and each["proration"]):
            each["invoice"] = invoice["id"]
            invoice["_fixed"].append(line_of(each))
    invoices.count(sim, invoice)
    subscription["latest_invoice"] = invoice["id"]
    sim.emit("invoice.created", invoice)
    return invoice


def _collect(sim: Sim, subscription: Thing, invoice: Thing, behavior: str | None) -> None:
    invoices.finalize(sim, invoice)
    if invoice["status"] != "open" or invoice["collection_method"] != "charge_automatically":
        return
    code = refusal(sim, invoices.method_for(sim, invoice), subscription["customer"])
    if code and behavior == "error_if_incomplete":
        raise declined(code)
    if behavior != "default_incomplete":
        invoices.pay(sim, invoice)


# -- as time goes by ---------------------------------------------------------------------------------------------------


def _stretch(subscription: Thing, item: Thing, start: int, end: int) -> Thing:
    """Usage of an item at its present price: since the period's start, or since it has that price."""
    start = item.get("_since", start)
    return {"item": item["id"], "price": item["price"], "subscription": subscription["id"], "start": start, "end": end}


def remember_usage(subscription: Thing) -> None:
    """At a period's very end, before its prices change: what was used in it costs what it cost then."""
    subscription["_used"] = _unbilled(subscription, period_of(subscription)[1])


def _unbilled(subscription: Thing, end: int) -> list[Thing]:
    """All usage of the period until then, in stretches of one price each. It is billed now: nothing is remembered."""
    start, _ = period_of(subscription)
    now = [_stretch(subscription, item, start, end) for item in items_of(subscription) if metered(item)]
    return [*subscription.pop("_pieces", []), *now]


def _renewal(sim: Sim, subscription: Thing, customer: Thing, reason: str, used: list[Thing], **fields: Any) -> Thing:
    """The draft for the period that begins: licensed items ahead, usage of the last one, what was pending."""
    begin, end = period_of(subscription)
    drop_ended(sim, subscription)
    invoice = invoices.draft(
        sim,
        customer,
        reason=reason,
        currency=subscription["currency"],
        period=(used[0]["start"] if used else begin, begin),
        lines=[],
        subscription=subscription,
        metered=used,
        **fields,
    )
    ahead = [
        each
        for item in items_of(subscription)
        if not metered(item) and subscription["status"] != "canceled"
        for each in licensed(sim, subscription, item, begin, end)
    ]
    invoice["_fixed"] = [*pending_lines(sim, customer["id"], subscription, invoice["id"]), *ahead]
    invoices.count(sim, invoice)
    subscription["latest_invoice"] = invoice["id"]
    sim.emit("invoice.created", invoice)
    return invoice


def renew(sim: Sim, subscription: Thing) -> Thing:
    """The period is over: the next begins, with a draft that waits for late usage before it is finalized."""
    customer = sim.need("customer", subscription["customer"])
    _, begin = period_of(subscription)
    used = subscription.pop("_used", None) or _unbilled(subscription, begin)
    _set_period(subscription, begin, _period_end(subscription, begin))
    idle = subscription["status"] == "unpaid" or subscription["pause_collection"] is not None
    fields = {"auto_advance": False, "automatically_finalizes_at": None} if subscription["status"] == "unpaid" else {}
    behavior = (subscription["pause_collection"] or {}).get("behavior")
    if behavior == "keep_as_draft":
        fields = {"auto_advance": False, "automatically_finalizes_at": None}
    invoice = _renewal(sim, subscription, customer, "subscription_cycle", used, **fields)
    if idle and behavior in ("void", "mark_uncollectible"):
        invoice["_then"] = behavior
    sim.emit("customer.subscription.updated", subscription)
    return invoice


def end_trial(sim: Sim, subscription: Thing) -> None:
    """The trial is over: it goes on and is billed, or without a card does what its settings say."""
    customer = sim.need("customer", subscription["customer"])
    card = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    missing = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if not card and missing == "cancel":
        end_subscription(sim, subscription, reason=None)
        return
    if not card and missing == "pause":
        subscription["status"] = "paused"
        sim.emit("customer.subscription.paused", subscription)
        sim.emit("customer.subscription.updated", subscription)
        return
    begin = subscription["trial_end"]
    subscription["status"] = "active"
    _set_period(subscription, begin, _period_end(subscription, begin))
    _renewal(sim, subscription, customer, "subscription_cycle", [])
    sim.emit("customer.subscription.updated", subscription)


def resume(sim: Sim, subscription: Thing, anchor: str) -> None:
    """A paused one goes on, with a period from now and an invoice that must be paid for it to become active."""
    if subscription["status"] != "paused":
        raise invalid("Only a paused subscription can be resumed.")
    customer = sim.need("customer", subscription["customer"])
    now = sim.now_of(customer["id"])
    if anchor == "now":
        subscription["billing_cycle_anchor"] = now
    subscription["status"] = "active"
    _set_period(subscription, now, _period_end(subscription, now))
    invoice = _renewal(sim, subscription, customer, "subscription_update", [])
    invoices.finalize(sim, invoice)
    if invoice["status"] == "open":
        invoices.pay(sim, invoice)
    sim.emit("customer.subscription.resumed", subscription)
    sim.emit("customer.subscription.updated", subscription)


def end_subscription(
    sim: Sim,
    subscription: Thing,
    *,
    reason: str | None = "cancellation_requested",
    prorate: bool = False,
    invoice_now: bool = False,
    at_period_end: bool = False,
) -> None:
    """Cancel it. At a period's end, and with `invoice_now`, the usage that was not billed yet gets a last invoice."""
    customer = sim.need("customer", subscription["customer"])
    now = sim.now_of(customer["id"])
    used = _unbilled(subscription, now)
    free = subscription["status"] in ("trialing", "incomplete", "paused")
    made: list[Thing] = []
    if prorate and not free:
        kept = percent_kept(sim, subscription["discounts"])
        for item in items_of(subscription):
            if not metered(item):
                told = proration(sim, subscription, item, item["price"], item["quantity"], now, kept, credit=True)
                made.append(_pending(sim, subscription, item, told))
    subscription |= {"status": "canceled", "ended_at": now, "canceled_at": subscription["canceled_at"] or now}
    subscription["cancellation_details"]["reason"] = subscription["cancellation_details"]["reason"] or reason
    if not free and (at_period_end or invoice_now):
        pending = [each for each in sim.store.all("invoiceitem", customer=customer["id"]) if each["invoice"] is None]
        if used or pending:
            invoice = _renewal(sim, subscription, customer, "subscription_cycle", used)
            if invoice_now:
                invoices.finalize(sim, invoice)
                if invoice["status"] == "open":
                    invoices.pay(sim, invoice)
    for invoice in sim.store.all("invoice", _subscription=subscription["id"], status="open"):
        if invoice["billing_reason"] == "subscription_create" and free:
            invoices.void(sim, invoice)
        else:
            invoice |= {"auto_advance": False, "next_payment_attempt": None}
    if subscription["schedule"]:
        schedule = sim.need("subscription_schedule", subscription["schedule"])
        if schedule["status"] == "active":
            schedule |= {"status": "canceled", "canceled_at": now, "current_phase": None}
            sim.emit("subscription_schedule.canceled", schedule)
    sim.emit("customer.subscription.deleted", subscription)


def expire(sim: Sim, subscription: Thing) -> None:
    """A first payment that did not come within 23 hours."""
    subscription |= {"status": "incomplete_expired", "ended_at": sim.now_of(subscription["customer"])}
    for invoice in list(sim.store.all("invoice", _subscription=subscription["id"], status="open")):
        invoices.void(sim, invoice)
    sim.emit("customer.subscription.updated", subscription)


def follow(sim: Sim, invoice: Thing) -> None:
    """What an invoice's payment or failure does to its subscription."""
    subscription = sim.store.get("subscription", invoice["_subscription"]) if invoice["_subscription"] else None
    if subscription is None or subscription["status"] in (*ENDED, "trialing", "paused"):
        return
    before = subscription["status"]
    if invoice["status"] in ("paid", "void"):
        still = any(
            other["_first_failed"] or other["billing_reason"] == "subscription_create"
            for other in sim.store.all("invoice", _subscription=subscription["id"], status="open")
        )
        if before in ("incomplete", "past_due", "unpaid") and not still and invoice["status"] == "paid":
            subscription["status"] = "active"
    elif before == "incomplete":
        return
    elif invoice["next_payment_attempt"] is None and invoice["auto_advance"]:
        after = sim.settings["after_retries"]
        if after == "canceled":
            end_subscription(sim, subscription, reason="payment_failed")
            return
        subscription["status"] = after
    elif before == "active":
        subscription["status"] = "past_due"
    if subscription["status"] != before:
        sim.emit("customer.subscription.updated", subscription)


def notice_trial(sim: Sim, subscription: Thing) -> None:
    subscription["_told_trial"] = True
    sim.emit("customer.subscription.trial_will_end", subscription)
