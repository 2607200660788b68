"""Money by the second: properties of prorations, tiers and discounts, on the simulator's core without its server."""

import itertools
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.stripe_sim import catalog, customers, invoice_routes, meters, subscriptions, timeline
from ops.stripe_sim.calendar import boundary, interval_around
from ops.stripe_sim.pricing import charges, cost, part
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Store, Thing

MONTH = {"interval": "month"}
PRICES = st.integers(0, 1_000_000)
# Leap days, both changes of the clocks, ends of months.
STARTS = st.integers(
    int(datetime(2027, 10, 1, tzinfo=UTC).timestamp()), int(datetime(2028, 12, 1, tzinfo=UTC).timestamp())
)


def account(start: int, *amounts: int) -> tuple[Sim, Thing, list[Thing]]:
    """A core with a customer that can pay, and prices."""
    sim = Sim(Store(seed="tests"), frozen_at=start)
    sim.begin()
    customer = customers.create_customer(sim, {"payment_method": "pm_card_visa"})
    product = catalog.create_product(sim, {"name": "Plan"})
    prices = [
        catalog.create_price(
            sim, {"product": product["id"], "currency": "usd", "unit_amount": each, "recurring": dict(MONTH)}
        )
        for each in amounts
    ]
    sim.commit()
    return sim, customer, prices


def turn_to(sim: Sim, subscription: str, price: Thing, **params: Any) -> Thing:
    """Change the only item's price; returns the invoice that this made."""
    sim.begin()
    thing = sim.need("subscription", subscription)
    item = subscriptions.items_of(thing)[0]["id"]
    change = {"items": [{"id": item, "price": price["id"]}], "proration_behavior": "always_invoice", **params}
    preview = invoice_routes.create_preview(sim, {"subscription": subscription, "subscription_details": dict(change)})
    thing = sim.need("subscription", subscription)
    subscriptions.change(sim, thing, dict(change))
    invoice = dict(sim.need("invoice", thing["latest_invoice"]))
    sim.commit()
    assert (preview["total"], preview["amount_due"]) == (invoice["total"], invoice["amount_due"])
    assert [line["amount"] for line in preview["lines"]["data"]] == [
        line["amount"] for line in invoice["lines"]["data"]
    ]
    return invoice


@settings(max_examples=60)
@given(small=PRICES, large=PRICES, start=STARTS, later=st.integers(0, 60 * 86_400), day=st.sampled_from([None, 1, 31]))
def test_a_change_and_its_instant_undo_net_nothing(
    small: int, large: int, start: int, later: int, day: int | None
) -> None:
    sim, customer, (first, second) = account(start, small, large)
    sim.begin()
    anchored = {"billing_cycle_anchor_config": {"day_of_month": day}} if day else {}
    made = subscriptions.start(
        sim, sim.need("customer", customer["id"]), {"items": [{"price": first["id"]}], **anchored}
    )
    identity = made["id"]
    sim.commit()
    timeline.advance(sim, start + later)
    forth, back = turn_to(sim, identity, second), turn_to(sim, identity, first)
    assert abs(forth["total"] + back["total"]) <= 1
    for invoice in (forth, back):
        assert invoice["amount_due"] >= 0  # what is negative goes to the balance
    found = [each for each in sim.store.all("invoice", customer=customer["id"]) if each["number"]]
    balance = sim.need("customer", customer["id"])["balance"]
    assert sum(each["total"] for each in found) == sum(each["amount_paid"] for each in found) + balance


@given(amount=PRICES, cuts=st.lists(st.integers(0, 2_678_400), max_size=8), length=st.sampled_from([28, 29, 30, 31]))
def test_a_split_interval_costs_at_most_one_unit_more_a_split(amount: int, cuts: list[int], length: int) -> None:
    whole = length * 86_400
    places = [0, *sorted(min(cut, whole) for cut in cuts), whole]
    parts = [part(amount, end - begin, whole) for begin, end in itertools.pairwise(places)]
    assert abs(sum(parts) - amount) <= len(parts)
    assert all(each >= 0 for each in parts)


@given(
    quantity=st.integers(0, 10**9),
    tops=st.lists(st.integers(1, 10**9), unique=True, max_size=4).map(sorted),
    units=st.lists(st.integers(0, 10_000), min_size=5, max_size=5),
)
def test_graduated_tiers_count_each_unit_once(quantity: int, tops: list[int], units: list[int]) -> None:
    tiers = [
        {"up_to": top, "unit_amount_decimal": str(units[place]), "flat_amount_decimal": None}
        for place, top in enumerate([*tops, None])
    ]
    price = {"billing_scheme": "tiered", "tiers_mode": "graduated", "_tiers": tiers}
    assert sum(charge.quantity for charge in charges(price, quantity)) == quantity
    expected, below = 0, 0
    for place, top in enumerate([*tops, None]):
        upto = quantity if top is None else min(top, quantity)
        expected += max(0, upto - below) * units[place]
        below = max(below, upto)
    assert cost(price, quantity) == expected


@given(quantity=st.integers(0, 10**9), package=st.integers(1, 10**6), unit=st.integers(0, 10_000))
def test_a_package_that_was_begun_is_charged(quantity: int, package: int, unit: int) -> None:
    price = {
        "billing_scheme": "per_unit",
        "unit_amount_decimal": str(unit),
        "transform_quantity": {"divide_by": package, "round": "up"},
    }
    assert cost(price, quantity) == -(-quantity // package) * unit


@given(anchor=STARTS, moment=STARTS, interval=st.sampled_from(["day", "week", "month", "year"]))
def test_intervals_tile_time(anchor: int, moment: int, interval: str) -> None:
    begin, end = interval_around(anchor, interval, 1, moment)
    assert begin <= moment < end
    assert interval_around(anchor, interval, 1, end)[0] == end
    assert interval_around(anchor, interval, 1, begin - 1)[1] == begin
    assert boundary(anchor, interval, 1, 0) == anchor


def test_the_31st_comes_back_after_a_short_month() -> None:
    anchor = int(datetime(2027, 12, 31, tzinfo=UTC).timestamp())
    months = [datetime.fromtimestamp(boundary(anchor, "month", 1, steps), UTC) for steps in range(4)]
    assert [(each.month, each.day) for each in months] == [(12, 31), (1, 31), (2, 29), (3, 31)]


@settings(max_examples=40)
@given(
    values=st.lists(st.tuples(st.integers(0, 40 * 86_400), st.integers(0, 50)), max_size=25),
    formula=st.sampled_from(["sum", "count", "last"]),
)
def test_usage_is_counted_in_the_period_of_its_time_and_once(values: list[tuple[int, int]], formula: str) -> None:
    start = int(datetime(2028, 2, 10, tzinfo=UTC).timestamp())
    sim, customer, (flat,) = account(start, 1_000)
    sim.begin()
    meter = meters.create_meter(
        sim, {"display_name": "m", "event_name": "m", "default_aggregation": {"formula": formula}}
    )
    recurring = MONTH | {"usage_type": "metered", "meter": meter["id"]}
    price = {"product": flat["product"], "currency": "usd", "unit_amount": 3, "recurring": recurring}
    use = catalog.create_price(sim, price)
    made = subscriptions.start(
        sim, sim.need("customer", customer["id"]), {"items": [{"price": flat["id"]}, {"price": use["id"]}]}
    )
    identity = made["id"]
    sim.commit()
    end = boundary(start, "month", 1, 1)
    for place, (offset, value) in enumerate(sorted(values)):
        timeline.advance(sim, start + offset)
        sim.begin()
        payload = {"stripe_customer_id": customer["id"], "value": str(value)}
        meters.create_event(sim, {"event_name": "m", "payload": payload, "identifier": str(place)})
        sim.commit()
    timeline.advance(sim, max(sim.now(), end + 3_600))
    own = [value for offset, value in sorted(values) if start + offset < end]
    wanted = {"sum": sum(own), "count": len(own), "last": own[-1] if own else 0}[formula]
    renewed = [each for each in sim.store.all("invoice", _subscription=identity) if each["period_end"] == end]
    lines = renewed[0]["lines"]["data"]
    assert sum(line["quantity"] for line in lines if line["pricing"]["price_details"]["price"] == use["id"]) == wanted
    assert renewed[0]["total"] == 1_000 + 3 * wanted
