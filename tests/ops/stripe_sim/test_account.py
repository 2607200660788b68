"""What the official client gets: the same tests run against the simulator and, with `STRIPE_TEST_KEY`, against Stripe.

Time moves by test clocks, which both have; cards are Stripe's test payment methods. A Checkout page is filled in by
hand at Stripe, so its test is the simulator's alone (`test_server.py`).
"""

import asyncio
import uuid
from typing import Any

import pytest
import stripe

from tests.ops.stripe_sim.conftest import START, Account, at

HOUR = 3_600


def totals(invoice: Any) -> list[tuple[int, bool]]:
    """The lines' amounts, and whether they are prorations, in no order."""
    return sorted(
        (
            line.amount,
            bool((line.parent.subscription_item_details or line.parent.invoice_item_details)["proration"]),
        )
        for line in invoice.lines.data
    )


async def subscribe(account: Account, customer: Any, *prices: Any, **params: Any) -> Any:
    items = [{"price": price.id} for price in prices]
    created = {"customer": customer.id, "items": items, "expand": ["latest_invoice"], **params}
    return await account.v1.subscriptions.create_async(created)


async def test_a_lookup_key_moves_to_the_price_that_asks_for_it(account: Account) -> None:
    key = f"starter-{uuid.uuid4()}"
    first = await account.price(lookup_key=key)
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        await account.price(12_000, lookup_key=key)
    second = await account.price(12_000, lookup_key=key, transfer_lookup_key=True)
    found = await account.v1.prices.list_async({"lookup_keys": [key]})
    assert [price.id for price in found.data] == [second.id]
    assert (await account.v1.prices.retrieve_async(first.id)).lookup_key is None


async def test_lists_page_without_a_hole(account: Account) -> None:
    product = await account.v1.products.create_async({"name": "Paged"})
    price = {"product": product.id, "currency": "usd", "unit_amount": 100}
    made = [(await account.v1.prices.create_async(price)).id for _ in range(7)]
    seen, params = [], {"product": product.id, "limit": 3}
    page = await account.v1.prices.list_async(params)
    async for each in page.auto_paging_iter():
        seen.append(each.id)
    assert sorted(seen) == sorted(made)
    back = await account.v1.prices.list_async({"product": product.id, "limit": 3, "ending_before": seen[-1]})
    assert [each.id for each in back.data] == seen[3:6]


async def test_the_same_key_gives_the_same_answer_and_never_another_one(account: Account) -> None:
    key = str(uuid.uuid4())
    options = {"idempotency_key": key}
    first = await account.v1.customers.create_async({"name": "Ada"}, options)
    second = await account.v1.customers.create_async({"name": "Ada"}, options)
    assert first.id == second.id
    assert second.last_response.headers["idempotent-replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        await account.v1.customers.create_async({"name": "Bob"}, options)
    refused = {"idempotency_key": str(uuid.uuid4())}
    bad = {"currency": "usd", "unit_amount": 1, "product": "prod_nothing"}
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError, match="No such product"):
            await account.v1.prices.create_async(bad, refused)


async def test_errors_are_stripes(account: Account) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await account.v1.customers.retrieve_async("cus_nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    assert caught.value.request_id
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await account.v1.products.create_async({"colour": "red", "name": "x"})
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, "parameter_unknown", "colour")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await account.v1.products.create_async({})
    assert caught.value.code == "parameter_missing"


async def test_the_first_period_is_charged_by_the_second_up_to_the_first_of_the_month(account: Account) -> None:
    clock = await account.clock(START)
    customer, price = await account.customer(clock), await account.price()
    subscription = await subscribe(account, customer, price, billing_cycle_anchor_config={"day_of_month": 1, "hour": 0,
        "minute": 0, "second": 0})  # fmt: skip
    whole = at(2026, 4, 1) - at(2026, 3, 1)
    owed = round(9_900 * (at(2026, 4, 1) - START) / whole)
    assert (subscription.status, subscription.latest_invoice.total) == ("active", owed)
    item = subscription["items"].data[0]
    assert (item.current_period_start, item.current_period_end) == (START, at(2026, 4, 1))
    await account.advance(clock, at(2026, 4, 1, 2))
    renewed = await account.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})
    assert (renewed.latest_invoice.total, renewed.latest_invoice.status) == (9_900, "paid")
    assert renewed["items"].data[0].current_period_end == at(2026, 5, 1)


async def test_an_upgrade_costs_what_its_preview_said(account: Account) -> None:
    clock = await account.clock(START)
    customer, small, large = await account.customer(clock), await account.price(), await account.price(39_900)
    subscription = await subscribe(account, customer, small)
    await account.advance(clock, START + 9 * 24 * HOUR)
    item = subscription["items"].data[0].id
    moment = START + 9 * 24 * HOUR
    change = {"items": [{"id": item, "price": large.id}], "proration_behavior": "always_invoice",
              "proration_date": moment}  # fmt: skip
    preview = await account.v1.invoices.create_preview_async(
        {"subscription": subscription.id, "subscription_details": change}
    )
    changed = await account.v1.subscriptions.update_async(subscription.id, change | {"expand": ["latest_invoice"]})
    invoice = changed.latest_invoice
    assert (invoice.status, invoice.billing_reason) == ("paid", "subscription_update")
    assert (preview.total, preview.amount_due) == (invoice.total, invoice.amount_due)
    assert totals(preview) == totals(invoice)
    back = {"items": [{"id": item, "price": small.id}], "proration_behavior": "always_invoice",
            "proration_date": moment}  # fmt: skip
    undone = await account.v1.subscriptions.update_async(subscription.id, back | {"expand": ["latest_invoice"]})
    assert abs(invoice.total + undone.latest_invoice.total) <= 1
    owner = await account.v1.customers.retrieve_async(customer.id)
    assert owner.balance == undone.latest_invoice.total  # what is given back is credit


async def test_the_next_invoice_is_what_its_preview_said(account: Account) -> None:
    clock = await account.clock(START)
    customer, flat = await account.customer(clock), await account.price()
    event = f"mau-{uuid.uuid4()}"
    _, use = await account.meter_price(event, [{"up_to": 2, "unit_amount": 0}, {"up_to": "inf", "unit_amount": 7}])
    subscription = await subscribe(account, customer, flat, use)
    payload = {"stripe_customer_id": customer.id, "value": "5"}
    given = {"event_name": event, "payload": payload, "timestamp": START + 1, "identifier": str(uuid.uuid4())}
    await account.v1.billing.meter_events.create_async(given)
    await account.v1.invoice_items.create_async({"customer": customer.id, "amount": 350, "currency": "usd"})
    await account.v1.customers.balance_transactions.create_async(customer.id, {"amount": -100, "currency": "usd"})
    if account.real:
        await asyncio.sleep(5)
    preview = await account.v1.invoices.create_preview_async({"subscription": subscription.id})
    await account.advance(clock, at(2026, 4, 10, 14))
    invoice = (await account.v1.invoices.list_async({"customer": customer.id, "limit": 1})).data[0]
    assert totals(preview) == totals(invoice)
    assert (preview.total, preview.amount_due) == (invoice.total, invoice.amount_due) == (10_271, 10_171)
    assert (invoice.status, invoice.starting_balance, invoice.ending_balance) == ("paid", -100, 0)


async def test_a_downgrade_waits_for_the_end_of_the_period(account: Account) -> None:
    clock = await account.clock(START)
    customer, small, large = await account.customer(clock), await account.price(), await account.price(39_900)
    subscription = await subscribe(account, customer, large)
    schedule = await account.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    phase = schedule.phases[0]
    phases = [
        {
            "items": [{"price": large.id, "quantity": 1}],
            "start_date": phase.start_date,
            "end_date": phase.end_date,
        },
        {"items": [{"price": small.id, "quantity": 1}], "duration": {"interval": "month", "interval_count": 1}},
    ]
    await account.v1.subscription_schedules.update_async(schedule.id, {"phases": phases, "end_behavior": "release"})
    end = at(2026, 4, 10, 12)
    assert phase.end_date == end
    await account.advance(clock, end - HOUR)
    before = await account.v1.subscriptions.retrieve_async(subscription.id)
    assert before["items"].data[0].price.id == large.id
    await account.advance(clock, end + 2 * HOUR)
    after = await account.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})
    assert after["items"].data[0].price.id == small.id
    assert (after.latest_invoice.total, totals(after.latest_invoice)) == (9_900, [(9_900, False)])


async def test_usage_is_on_the_invoice_and_late_usage_within_the_hour_too(account: Account) -> None:
    clock = await account.clock(START)
    event = f"mau-{uuid.uuid4()}"
    tiers = [{"up_to": 10_000, "unit_amount": 0}, {"up_to": "inf", "unit_amount_decimal": "2.5"}]
    meter, use = await account.meter_price(event, tiers)
    customer, flat = await account.customer(clock), await account.price()
    await subscribe(account, customer, flat, use)

    async def report(value: int, moment: int, identifier: str) -> Any:
        payload = {"stripe_customer_id": customer.id, "value": str(value)}
        given = {"event_name": event, "payload": payload, "timestamp": moment, "identifier": identifier}
        return await account.v1.billing.meter_events.create_async(given)

    name = str(uuid.uuid4())
    await report(9_000, START + 60, name)
    with pytest.raises(stripe.InvalidRequestError, match="An event already exists with identifier"):
        await report(9_000, START + 60, name)
    with pytest.raises(stripe.InvalidRequestError):
        await report(1, START - 36 * 24 * HOUR, str(uuid.uuid4()))
    with pytest.raises(stripe.InvalidRequestError):
        await report(1, START + 600, str(uuid.uuid4()))
    end = at(2026, 4, 10, 12)
    await account.advance(clock, end + 60)
    await report(1_003, end - 1, str(uuid.uuid4()))  # while the invoice is a draft
    await report(77, end, str(uuid.uuid4()))  # of the next period
    await account.advance(clock, end + 2 * HOUR)
    if account.real:
        await asyncio.sleep(5)  # Stripe counts in its own time
    invoice = (await account.v1.invoices.list_async({"customer": customer.id, "limit": 1})).data[0]
    assert invoice.total == 9_900 + 8  # 3 above the 10,000, at 2.5 each, rounded
    assert sum(line.quantity for line in invoice.lines.data if line.pricing.price_details["price"] == use.id) == 10_003
    window = {"customer": customer.id, "start_time": START, "end_time": end}
    summary = await account.v1.billing.meters.event_summaries.list_async(meter.id, window)
    assert summary.data[0].aggregated_value == 10_003


async def test_a_card_that_fails_makes_it_past_due_and_a_late_payment_mends_it(account: Account) -> None:
    clock = await account.clock(START)
    customer, price = await account.customer(clock, "pm_card_visa"), await account.price()
    subscription = await subscribe(account, customer, price)
    bad = await account.v1.payment_methods.attach_async("pm_card_chargeCustomerFail", {"customer": customer.id})
    await account.v1.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": bad.id}})
    await account.advance(clock, at(2026, 4, 10, 14))
    failed = await account.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})
    invoice = failed.latest_invoice
    assert (failed.status, invoice.status, invoice.attempt_count) == ("past_due", "open", 1)
    assert invoice.next_payment_attempt > at(2026, 4, 10, 14)
    with pytest.raises(stripe.CardError) as caught:
        await account.v1.invoices.pay_async(invoice.id)
    assert caught.value.code == "card_declined"
    good = await account.v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    paid = await account.v1.invoices.pay_async(invoice.id, {"payment_method": good.id})
    assert (paid.status, paid.amount_remaining) == ("paid", 0)
    assert (await account.v1.subscriptions.retrieve_async(subscription.id)).status == "active"


@pytest.mark.parametrize(
    ("behavior", "status"), [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "past_due")]
)
async def test_a_trial_without_a_card_ends_as_its_settings_say(account: Account, behavior: str, status: str) -> None:
    clock = await account.clock(START)
    customer, price = await account.customer(clock, ""), await account.price()
    settings = {"end_behavior": {"missing_payment_method": behavior}}
    subscription = await subscribe(account, customer, price, trial_period_days=7, trial_settings=settings)
    assert (subscription.status, subscription.latest_invoice.total) == ("trialing", 0)
    await account.advance(clock, START + 7 * 24 * HOUR + 2 * HOUR)
    assert (await account.v1.subscriptions.retrieve_async(subscription.id)).status == status


async def test_a_trial_with_a_card_goes_on_paid(account: Account) -> None:
    clock = await account.clock(START)
    customer, price = await account.customer(clock), await account.price()
    subscription = await subscribe(account, customer, price, trial_end=at(2026, 4, 1))
    await account.advance(clock, at(2026, 4, 1, 2))
    after = await account.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})
    assert (after.status, after.latest_invoice.total, after.latest_invoice.status) == ("active", 9_900, "paid")
    assert after["items"].data[0].current_period_end == at(2026, 5, 1)


async def test_credit_goes_before_the_card_and_a_coupon_before_both(account: Account) -> None:
    clock = await account.clock(START)
    customer, price = await account.customer(clock), await account.price()
    coupon = await account.v1.coupons.create_async({"percent_off": 25, "duration": "once"})
    await account.v1.customers.balance_transactions.create_async(customer.id, {"amount": -1_000, "currency": "usd"})
    subscription = await subscribe(account, customer, price, discounts=[{"coupon": coupon.id}])
    invoice = subscription.latest_invoice
    assert (invoice.subtotal, invoice.total, invoice.amount_due) == (9_900, 7_425, 6_425)
    assert (invoice.starting_balance, invoice.ending_balance, invoice.amount_paid) == (-1_000, 0, 6_425)
    await account.advance(clock, at(2026, 4, 10, 14))
    again = (await account.v1.invoices.list_async({"customer": customer.id, "limit": 1})).data[0]
    assert again.total == 9_900  # once is once


async def test_the_end_of_a_period_ends_what_was_canceled(account: Account) -> None:
    clock = await account.clock(START)
    customer, price = await account.customer(clock), await account.price()
    subscription = await subscribe(account, customer, price)
    ending = await account.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    assert (ending.status, ending.cancel_at) == ("active", at(2026, 4, 10, 12))
    await account.advance(clock, at(2026, 4, 10, 14))
    ended = await account.v1.subscriptions.retrieve_async(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", at(2026, 4, 10, 12))
    assert len((await account.v1.invoices.list_async({"customer": customer.id})).data) == 1


async def test_a_refused_first_payment_leaves_nothing_when_asked_so(account: Account) -> None:
    clock = await account.clock(START)
    customer, price = await account.customer(clock, "pm_card_chargeCustomerFail"), await account.price()
    with pytest.raises(stripe.CardError):
        await subscribe(account, customer, price, payment_behavior="error_if_incomplete")
    assert (await account.v1.subscriptions.list_async({"customer": customer.id, "status": "all"})).data == []
    left = await subscribe(account, customer, price)
    assert (left.status, left.latest_invoice.status) == ("incomplete", "open")
    await account.advance(clock, START + 24 * HOUR)
    gone = await account.v1.subscriptions.retrieve_async(left.id, {"expand": ["latest_invoice"]})
    assert (gone.status, gone.latest_invoice.status) == ("incomplete_expired", "void")


@pytest.mark.parametrize(("mode", "charged"), [("flexible", 5 * 10), ("classic", 0)])
async def test_usage_before_a_change_of_its_price_costs_the_old_price_in_flexible_mode(
    account: Account, mode: str, charged: int
) -> None:
    clock = await account.clock(START)
    event = f"mau-{uuid.uuid4()}"
    tiers = [{"up_to": 10, "unit_amount": 0}, {"up_to": "inf", "unit_amount": 10}]
    meter, small = await account.meter_price(event, tiers)
    large = await account.v1.prices.create_async(
        {"product": small.product, "currency": "usd", "recurring": {"interval": "month", "usage_type": "metered",
         "meter": meter.id}, "billing_scheme": "tiered", "tiers_mode": "graduated",
         "tiers": [{"up_to": 100, "unit_amount": 0}, {"up_to": "inf", "unit_amount": 1}]}
    )  # fmt: skip
    customer, flat = await account.customer(clock), await account.price()
    subscription = await subscribe(account, customer, flat, small, billing_mode={"type": mode})
    item = next(each for each in subscription["items"].data if each.price.id == small.id)

    async def report(value: int, moment: int) -> None:
        payload = {"stripe_customer_id": customer.id, "value": str(value)}
        given = {"event_name": event, "payload": payload, "timestamp": moment, "identifier": str(uuid.uuid4())}
        await account.v1.billing.meter_events.create_async(given)

    await report(15, START + 60)
    await account.advance(clock, START + HOUR)
    await account.v1.subscriptions.update_async(subscription.id, {"items": [{"id": item.id, "price": large.id}]})
    await account.advance(clock, START + 2 * HOUR)
    await report(80, START + 2 * HOUR - 60)
    await account.advance(clock, at(2026, 4, 10, 14))
    if account.real:
        await asyncio.sleep(5)
    invoice = (await account.v1.invoices.list_async({"customer": customer.id, "limit": 1})).data[0]
    assert sum(line.quantity for line in invoice.lines.data if line.pricing.price_details["price"] != flat.id) == 95
    assert invoice.total == 9_900 + charged


async def test_a_metered_item_that_is_removed_leaves_its_usage_on_the_next_invoice(account: Account) -> None:
    clock = await account.clock(START)
    event = f"mau-{uuid.uuid4()}"
    _, use = await account.meter_price(event, [{"up_to": "inf", "unit_amount": 7}])
    customer, flat = await account.customer(clock), await account.price()
    subscription = await subscribe(account, customer, flat, use)
    payload = {"stripe_customer_id": customer.id, "value": "6"}
    given = {"event_name": event, "payload": payload, "timestamp": START + 1, "identifier": str(uuid.uuid4())}
    await account.v1.billing.meter_events.create_async(given)
    await account.advance(clock, START + HOUR)
    item = next(each for each in subscription["items"].data if each.price.id == use.id)
    await account.v1.subscriptions.update_async(subscription.id, {"items": [{"id": item.id, "deleted": True}]})
    await account.advance(clock, at(2026, 4, 10, 14))
    invoice = (await account.v1.invoices.list_async({"customer": customer.id, "limit": 1})).data[0]
    assert totals(invoice) == [(42, False), (9_900, False)]
