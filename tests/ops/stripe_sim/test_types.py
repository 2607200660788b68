"""The simulator's answers against the types of the `stripe` package."""

import json
from typing import Any

import httpx
import pytest

from ops.stripe_sim.routing import ROUTES
from ops.stripe_sim.server import Simulator
from ops.stripe_sim.sim import API_VERSION
from tests.ops.stripe_sim.conftest import KEY, START, Account, at
from tests.ops.stripe_sim.types import api_version, wrong


async def _much(account: Account, simulator: Simulator) -> list[Any]:
    """An account that has had nearly everything; returns answers that are kept nowhere."""
    v1 = account.v1
    coupon = await v1.coupons.create_async({"percent_off": 10, "duration": "repeating", "duration_in_months": 2})
    await v1.coupons.create_async({"id": "off5", "amount_off": 500, "currency": "usd", "name": "5 off"})
    code = await v1.promotion_codes.create_async({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HI"})
    small, large = await account.price(lookup_key="starter"), await account.price(39_900, nickname="growth")
    meter, use = await account.meter_price("mau", [{"up_to": 10, "unit_amount": 0}, {"up_to": "inf", "unit_amount": 2}])
    await v1.prices.create_async(
        {"product": small.product, "currency": "usd", "unit_amount_decimal": "0.5", "transform_quantity":
         {"divide_by": 10, "round": "up"}, "recurring": {"interval": "year"}, "metadata": {"a": "b"}}
    )  # fmt: skip
    address = {"line1": "1 Road", "city": "Wien", "country": "AT", "postal_code": "1010"}
    tax_id = [{"type": "eu_vat", "value": "ATU12345678"}]
    customer = await v1.customers.create_async({"name": "Ada", "email": "a@b.c", "address": address,
        "tax_id_data": tax_id, "balance": -300, "metadata": {"k": "v"}})  # fmt: skip
    session = await v1.checkout.sessions.create_async(
        {"mode": "subscription", "customer": customer.id, "success_url": "http://x/", "cancel_url": "http://x/no",
         "client_reference_id": "app_1", "allow_promotion_codes": True, "tax_id_collection": {"enabled": True},
         "line_items": [{"price": small.id, "quantity": 1}, {"price": use.id}],
         "subscription_data": {"billing_cycle_anchor_config": {"day_of_month": 1}, "metadata": {"app": "1"}}}
    )  # fmt: skip
    simulator.complete_checkout(session.id, promotion=code.code)
    session = await v1.checkout.sessions.retrieve_async(session.id, {"expand": ["line_items", "subscription"]})
    await v1.checkout.sessions.create_async(
        {"mode": "setup", "customer_email": "x@y.z", "success_url": "http://x/", "currency": "usd"}
    )
    subscription = session.subscription
    payload = {"stripe_customer_id": customer.id, "value": "25"}
    kept = [await v1.billing.meter_events.create_async({"event_name": "mau", "payload": payload, "identifier": "one"})]
    await v1.billing.meter_events.create_async({"event_name": "mau", "payload": payload, "identifier": "two"})
    kept.append(
        await v1.billing.meter_event_adjustments.create_async(
            {"event_name": "mau", "type": "cancel", "cancel": {"identifier": "two"}}
        )
    )
    window = {"customer": customer.id, "start_time": START - 43_200, "end_time": START + 43_200}
    kept.append(await v1.billing.meters.event_summaries.list_async(meter.id, window | {"value_grouping_window": "day"}))
    item = subscription["items"].data[0]
    details = {"items": [{"id": item.id, "price": large.id}], "proration_behavior": "always_invoice"}
    kept.append(await v1.invoices.create_preview_async(
        {"subscription": subscription.id, "subscription_details": details, "expand": ["discounts", "customer"]}
    ))  # fmt: skip
    kept.append(await v1.subscriptions.update_async(
        subscription.id, details | {"expand": ["latest_invoice.payments", "customer.tax_ids", "default_payment_method"]}
    ))  # fmt: skip
    schedule = await v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    phase = schedule.phases[0]
    items = [{"price": each.price, **({"quantity": 1} if each.price != use.id else {})} for each in phase["items"]]
    now = {"items": items, "start_date": phase.start_date, "end_date": phase.end_date}
    then = {"items": [{"price": small.id, "quantity": 1}, {"price": use.id}], "duration": {"interval": "month"}}
    await v1.subscription_schedules.update_async(schedule.id, {"phases": [now, then]})
    simulator.advance_to(at(2026, 4, 1, 2))
    simulator.decline("insufficient_funds")
    simulator.advance_to(at(2026, 5, 3))
    simulator.decline(None)
    trial = await v1.customers.create_async({"email": "t@b.c", "payment_method": "pm_card_visa"})
    ends = {"end_behavior": {"missing_payment_method": "pause"}}
    own = {"items": [{"price": small.id}], "discounts": [{"coupon": "off5"}], "trial_settings": ends}
    await v1.subscriptions.create_async({"customer": trial.id, "trial_period_days": 7, **own})
    await v1.invoice_items.create_async({"customer": trial.id, "amount": 700, "currency": "usd", "description": "More"})
    invoice = await v1.invoices.create_async({"customer": trial.id, "pending_invoice_items_behavior": "include"})
    await v1.invoices.finalize_invoice_async(invoice.id, {"auto_advance": False})
    await v1.invoices.mark_uncollectible_async(invoice.id)
    other = await v1.invoices.create_async({"customer": trial.id, "collection_method": "send_invoice"})
    kept.append(await v1.invoices.delete_async(other.id))
    await v1.billing_portal.sessions.create_async({"customer": customer.id, "flow_data": {"type":
        "payment_method_update"}})  # fmt: skip
    await v1.billing_portal.sessions.create_async({"customer": customer.id, "return_url": "http://x/"})
    await v1.setup_intents.create_async({"customer": trial.id, "payment_method": "pm_card_visa", "confirm": True})
    await v1.test_helpers.test_clocks.create_async({"frozen_time": START})
    endpoint = await v1.webhook_endpoints.create_async({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    kept.append(endpoint)
    kept.append(await v1.customers.search_async({"query": "metadata['k']:'v'"}))
    kept.append(await v1.prices.list_async({"limit": 2, "expand": ["data.tiers", "data.product"]}))
    kept.append(await v1.coupons.delete_async("off5"))
    return kept


async def test_every_answer_fits_the_packages_classes(account: Account, simulator: Simulator) -> None:
    if account.real:
        pytest.skip("Stripe's answers fit Stripe's classes; this is about the simulator's.")
    answers = [json.loads(answer.last_response.body) for answer in await _much(account, simulator)]
    kinds = {answer["object"] for answer in answers}
    async with httpx.AsyncClient(base_url=simulator.url, headers={"Authorization": f"Bearer {KEY}"}) as http:
        for route in ROUTES:
            if route.method != "GET" or "search" in route.path or "{" in route.path or "customers/" in route.path:
                continue
            params = {"limit": "100"} | ({"status": "all"} if route.path == "/v1/subscriptions" else {})
            if route.path in ("/v1/payment_methods", "/v1/subscription_items"):
                continue  # they want to know whose
            answer = (await http.get(route.path, params=params)).json()
            assert answer["data"] or route.path in ("/v1/invoiceitems",), route.path
            answers.append(answer)
            for each in answer["data"]:
                if each["object"] == "event":
                    answers.append(each["data"]["object"])
        for customer in (await http.get("/v1/customers")).json()["data"]:
            for below in ("tax_ids", "balance_transactions", "payment_methods"):
                answers.append((await http.get(f"/v1/customers/{customer['id']}/{below}")).json())
    simulator.sim.rollback()
    for kind in ("discount", "setup_intent", "billing_portal.session", "invoice_payment"):
        stored = list(simulator.sim.store.all(kind))
        assert stored, kind
        answers += [{key: value for key, value in each.items() if not key.startswith("_")} for each in stored]
    problems = sorted({problem for answer in answers for problem in wrong(answer)})
    assert not problems, f"{len(problems)}:\n" + "\n".join(problems[:60])
    kinds |= {each["object"] for answer in answers for each in answer.get("data", []) if isinstance(each, dict)}
    assert len(kinds) >= 25, kinds


def test_the_check_finds_what_does_not_fit() -> None:
    good = {
        "id": "txi_1",
        "object": "tax_id",
        "created": 1,
        "livemode": False,
        "type": "eu_vat",
        "value": "ATU1",
        "verification": {"status": "pending", "verified_address": None, "verified_name": None},
    }
    assert wrong(good) == []
    planted = (
        {"colour": "red"},
        {"created": "1"},
        {"livemode": None},
        {"type": "martian"},
        {"verification": {"status": "pending", "mood": 1}},
        {"verification": {"status": "perhaps"}},
        {"owner": {"type": "customer", "customer": {"object": "price"}}},
    )
    for bad in planted:
        assert wrong(good | bad), bad
    assert wrong({key: value for key, value in good.items() if key != "value"}) == ["tax_id.value: missing"]


def test_the_simulator_speaks_the_packages_version() -> None:
    assert api_version() == API_VERSION
