"""Subscription schedules: phases that change a subscription at their turn, such as a downgrade at the period's end."""

from ops.stripe_sim import subscriptions
from ops.stripe_sim.calendar import boundary
from ops.stripe_sim.customers import living
from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import anything, flag, merged, metadata, moment, one_of, require, text, whole
from ops.stripe_sim.routing import CREATED, PAGE, listed, route
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing
from ops.stripe_sim.subscription_routes import PRORATION

_ADDRESS = "/v1/subscription_schedules"
_PHASE = {
    "items": [{"price": text, "quantity": whole, "metadata": metadata}],
    "start_date": moment,
    "end_date": moment,
    "duration": {"interval": one_of("day", "week", "month", "year"), "interval_count": whole},
    "proration_behavior": PRORATION,
    "metadata": metadata,
    "description": text,
    "discounts": anything,
    "collection_method": text,
    "default_payment_method": text,
    "billing_cycle_anchor": one_of("automatic", "phase_start"),
    "currency": text,
    "trial": flag,
    "trial_end": moment,
}
_END = one_of("release", "cancel")


@route(
    "POST",
    _ADDRESS,
    {
        "from_subscription": text,
        "customer": text,
        "start_date": moment,
        "phases": [_PHASE],
        "end_behavior": _END,
        "metadata": metadata,
    },
)
def create(sim: Sim, p: Thing) -> Thing:
    if p.get("from_subscription"):
        if set(p) - {"from_subscription", "metadata"}:
            raise invalid("With from_subscription nothing but metadata can be given.", param="from_subscription")
        return _from(sim, sim.need("subscription", p["from_subscription"], "from_subscription"), p)
    require(p, "customer", "phases", "start_date")
    customer = living(sim, p["customer"])
    now = sim.now_of(customer["id"])
    begin = now if p["start_date"] == "now" else p["start_date"]
    schedule = _blank(sim, customer, now, p)
    schedule["phases"] = _phases(sim, p["phases"], begin)
    sim.emit("subscription_schedule.created", schedule)
    if begin <= now:
        start_schedule(sim, schedule)
    return schedule


def _blank(sim: Sim, customer: Thing, now: int, p: Thing, mode: str = "flexible") -> Thing:
    return sim.add(
        "subscription_schedule",
        "sub_sched",
        created=now,
        application=None,
        billing_mode=subscriptions.mode_of(mode),
        canceled_at=None,
        completed_at=None,
        current_phase=None,
        customer=customer["id"],
        customer_account=None,
        default_settings={
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": None,
            "description": None,
            "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}},
            "on_behalf_of": None,
            "transfer_data": None,
        },
        end_behavior=p.get("end_behavior", "release"),
        metadata=p.get("metadata") or {},
        pause_schedules=[],
        phases=[],
        released_at=None,
        released_subscription=None,
        status="not_started",
        subscription=None,
        test_clock=customer["test_clock"],
    )


def _from(sim: Sim, subscription: Thing, p: Thing) -> Thing:
    if subscription["schedule"]:
        raise invalid("The subscription is already attached to a schedule.", param="from_subscription")
    if subscription["status"] in subscriptions.ENDED:
        raise invalid("You cannot migrate a subscription that is already ended.", param="from_subscription")
    customer = sim.need("customer", subscription["customer"])
    schedule = _blank(sim, customer, sim.now_of(customer["id"]), p, subscription["billing_mode"]["type"])
    begin, end = subscriptions.period_of(subscription)
    items = [
        {"price": item["price"]["id"], "quantity": item.get("quantity"), "metadata": item["metadata"]}
        for item in subscriptions.items_of(subscription)
    ]
    phase = _phase(sim, {"items": items, "metadata": subscription["metadata"]}, begin, end)
    if subscription["status"] == "trialing":
        phase["trial_end"] = subscription["trial_end"]
    schedule |= {
        "phases": [phase],
        "status": "active",
        "subscription": subscription["id"],
        "current_phase": {"start_date": begin, "end_date": end},
    }
    subscription["schedule"] = schedule["id"]
    sim.emit("subscription_schedule.created", schedule)
    sim.emit("customer.subscription.updated", subscription)
    return schedule


def _phases(sim: Sim, given: list[Thing], begin: int) -> list[Thing]:
    result = []
    for index, each in enumerate(given):
        start = each.get("start_date") or begin
        start = begin if start == "now" or (index and start < begin) else start
        if index and start != begin:
            raise invalid("A phase begins where the one before it ends.", param=f"phases[{index}][start_date]")
        require(each, "items")
        end = each.get("end_date")
        if end is None:
            duration = each.get("duration")
            price = sim.need("price", each["items"][0]["price"], f"phases[{index}][items][0][price]")
            recurring = duration or price["recurring"]
            end = boundary(start, recurring["interval"], recurring.get("interval_count") or 1, 1)
        if end <= start:
            raise invalid("A phase ends after it begins.", param=f"phases[{index}][end_date]")
        result.append(_phase(sim, each, start, end))
        begin = end
    return result


def _phase(sim: Sim, given: Thing, start: int, end: int) -> Thing:
    items, currency = [], "usd"
    for each in given["items"]:
        price = sim.need("price", each.get("price") or "", "phases[0][items][0][price]")
        currency = price["currency"]
        metered = price["recurring"]["usage_type"] == "metered"
        item = {
            "billing_thresholds": None,
            "discounts": [],
            "metadata": each.get("metadata") or {},
            "plan": price["id"],
            "price": price["id"],
            "tax_rates": [],
        }
        if not metered:
            item["quantity"] = each.get("quantity") or 1
        items.append(item)
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "billing_cycle_anchor": given.get("billing_cycle_anchor"),
        "billing_thresholds": None,
        "collection_method": given.get("collection_method"),
        "currency": currency,
        "default_payment_method": given.get("default_payment_method"),
        "default_tax_rates": [],
        "description": given.get("description"),
        "discounts": [],
        "end_date": end,
        "invoice_settings": None,
        "items": items,
        "metadata": given.get("metadata") or {},
        "on_behalf_of": None,
        "proration_behavior": given.get("proration_behavior") or "create_prorations",
        "start_date": start,
        "transfer_data": None,
        "trial_end": None,
    }


@route(
    "POST",
    _ADDRESS + "/{id}",
    {"phases": [_PHASE], "end_behavior": _END, "metadata": metadata, "proration_behavior": PRORATION},
)
def update(sim: Sim, p: Thing, identity: str) -> Thing:
    """New phases; the current one must be among them and stays as the subscription is."""
    schedule = sim.need("subscription_schedule", identity)
    _must_live(schedule)
    if "metadata" in p:
        schedule["metadata"] = merged(schedule["metadata"], p["metadata"])
    if p.get("end_behavior"):
        schedule["end_behavior"] = p["end_behavior"]
    if p.get("phases"):
        phases = _phases(sim, p["phases"], schedule["phases"][0]["start_date"])
        if schedule["status"] == "active":
            now = sim.now_of(schedule["customer"])
            current = next((each for each in phases if each["start_date"] <= now < each["end_date"]), None)
            if current is None:
                raise invalid("You can not remove the current phase.", param="phases")
            schedule["current_phase"] = {"start_date": current["start_date"], "end_date": current["end_date"]}
            _enter(sim, schedule, current, p.get("proration_behavior") or "create_prorations")
        schedule["phases"] = phases
    sim.emit("subscription_schedule.updated", schedule)
    return schedule


def _must_live(schedule: Thing) -> None:
    if schedule["status"] not in ("active", "not_started"):
        raise invalid(f"You cannot change a subscription schedule that is {schedule['status']}.")


@route("GET", _ADDRESS + "/{id}")
def retrieve(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("subscription_schedule", identity)


@route("GET", _ADDRESS, PAGE | CREATED | {"customer": text, "scheduled": flag})
def list_schedules(sim: Sim, p: Thing) -> Thing:
    equal = {"customer": p["customer"]} if p.get("customer") else {}
    found = list(sim.store.all("subscription_schedule", **equal))
    if p.get("scheduled"):
        found = [each for each in found if each["status"] == "not_started"]
    return listed(found, p, _ADDRESS)


@route("POST", _ADDRESS + "/{id}/release", {"preserve_cancel_date": flag})
def release(sim: Sim, p: Thing, identity: str) -> Thing:
    schedule = sim.need("subscription_schedule", identity)
    _must_live(schedule)
    _release(sim, schedule)
    return schedule


@route("POST", _ADDRESS + "/{id}/cancel", {"invoice_now": flag, "prorate": flag})
def cancel(sim: Sim, p: Thing, identity: str) -> Thing:
    schedule = sim.need("subscription_schedule", identity)
    _must_live(schedule)
    now = sim.now_of(schedule["customer"])
    schedule |= {"status": "canceled", "canceled_at": now, "current_phase": None}
    if schedule["subscription"]:
        subscription = sim.need("subscription", schedule["subscription"])
        if subscription["status"] not in subscriptions.ENDED:
            subscriptions.end_subscription(
                sim, subscription, prorate=p.get("prorate", True), invoice_now=p.get("invoice_now", True)
            )
    sim.emit("subscription_schedule.canceled", schedule)
    return schedule


def _release(sim: Sim, schedule: Thing) -> None:
    now = sim.now_of(schedule["customer"])
    identity = schedule["subscription"]
    schedule |= {
        "status": "released",
        "released_at": now,
        "released_subscription": identity,
        "subscription": None,
        "current_phase": None,
    }
    if identity:
        subscription = sim.need("subscription", identity)
        subscription["schedule"] = None
        sim.emit("customer.subscription.updated", subscription)
    sim.emit("subscription_schedule.released", schedule)


def start_schedule(sim: Sim, schedule: Thing) -> None:
    """The first phase makes the subscription."""
    customer = sim.need("customer", schedule["customer"])
    phase = schedule["phases"][0]
    subscription = subscriptions.start(
        sim,
        customer,
        {
            "items": [
                {name: item[name] for name in ("price", "quantity", "metadata") if name in item}
                for item in phase["items"]
            ],
            "metadata": phase["metadata"],
            "default_payment_method": phase["default_payment_method"],
        },
    )
    subscription["schedule"] = schedule["id"]
    schedule |= {
        "status": "active",
        "subscription": subscription["id"],
        "current_phase": {"start_date": phase["start_date"], "end_date": phase["end_date"]},
    }
    sim.emit("subscription_schedule.updated", schedule)


def advance_schedule(sim: Sim, schedule: Thing) -> None:
    """The current phase is over: the next one begins, or the schedule ends as it says."""
    end = schedule["current_phase"]["end_date"]
    following = next((each for each in schedule["phases"] if each["start_date"] == end), None)
    if following is not None:
        schedule["current_phase"] = {"start_date": end, "end_date": following["end_date"]}
        _enter(sim, schedule, following, following["proration_behavior"])
        sim.emit("subscription_schedule.updated", schedule)
    elif schedule["end_behavior"] == "cancel":
        now = sim.now_of(schedule["customer"])
        schedule |= {"status": "completed", "completed_at": now, "current_phase": None}
        sim.emit("subscription_schedule.completed", schedule)
        subscription = sim.need("subscription", schedule["subscription"])
        if subscription["status"] not in subscriptions.ENDED:
            subscriptions.end_subscription(sim, subscription, reason=None, at_period_end=True)
    else:
        _release(sim, schedule)


def _enter(sim: Sim, schedule: Thing, phase: Thing, proration: str) -> None:
    """Give the subscription the phase's items. At a period's end that costs no proration: nothing of it is left."""
    subscription = sim.need("subscription", schedule["subscription"])
    if subscription["status"] in subscriptions.ENDED:
        return
    if subscriptions.period_of(subscription)[1] == phase["start_date"] and subscription["status"] != "trialing":
        subscriptions.remember_usage(subscription)
    wanted = {item["price"]: item for item in phase["items"]}
    have = {item["price"]["id"]: item for item in subscriptions.items_of(subscription)}
    gone, new = [each for each in have if each not in wanted], [each for each in wanted if each not in have]
    kinds = {each: sim.need("price", each)["recurring"]["meter"] for each in [*gone, *new]}
    given: list[Thing] = []
    for price in new:
        same = next((each for each in gone if kinds[each] == kinds[price]), None)
        item = {"price": price} | ({"quantity": wanted[price]["quantity"]} if "quantity" in wanted[price] else {})
        if same is not None:
            gone.remove(same)
            item["id"] = have[same]["id"]
        given.append(item)
    given += [{"id": have[each]["id"], "deleted": True} for each in gone]
    for price, item in have.items():
        if price in wanted and "quantity" in item and item["quantity"] != wanted[price]["quantity"]:
            given.append({"id": item["id"], "quantity": wanted[price]["quantity"]})
    change = {"items": given, "proration_behavior": proration}
    if phase["metadata"]:
        change["metadata"] = phase["metadata"]
    subscriptions.change(sim, subscription, {name: value for name, value in change.items() if value})
