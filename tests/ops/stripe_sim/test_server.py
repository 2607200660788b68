"""What only the simulator has: its clock, faults, webhooks on demand, pages, and a state that survives."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from ops.stripe_sim.errors import StripeError
from ops.stripe_sim.server import Options, Simulator
from tests.ops.stripe_sim.conftest import KEY, SECRET, START, Receiver, at, client_of

Hook = tuple[Receiver, str]


async def checkout(v1: Any, **params: Any) -> Any:
    product = await v1.products.create_async({"name": "Starter"})
    price = await v1.prices.create_async(
        {"product": product.id, "currency": "usd", "unit_amount": 9_900, "recurring": {"interval": "month"}}
    )
    given = {"mode": "subscription", "line_items": [{"price": price.id, "quantity": 1}],
             "success_url": "http://portal.test/done?page={CHECKOUT_SESSION_ID}", "cancel_url": "http://portal.test/no",
             "client_reference_id": "app_1", **params}  # fmt: skip
    return await v1.checkout.sessions.create_async(given)


async def subscribed(simulator: Simulator, v1: Any, **params: Any) -> Any:
    session = await checkout(v1, **params)
    simulator.complete_checkout(session.id)
    session = await v1.checkout.sessions.retrieve_async(session.id)
    return await v1.subscriptions.retrieve_async(session.subscription)


@pytest.fixture
async def hooked(receiver: Hook) -> Any:
    options = Options(key=KEY, frozen_at=START, seed="tests", webhook=receiver[1], signing_secret=SECRET)
    async with Simulator(options) as running:
        yield running


# -- webhooks ----------------------------------------------------------------------------------------------------------


async def test_a_payment_is_told_by_signed_webhooks_in_order(hooked: Simulator, receiver: Hook) -> None:
    took, _ = receiver
    subscription = await subscribed(hooked, client_of(hooked.url))
    await hooked.settled()
    wanted = ["customer.subscription.created", "invoice.created", "invoice.finalized", "invoice.paid",
              "customer.subscription.updated", "checkout.session.completed"]  # fmt: skip
    assert [kind for kind in took.types if kind in wanted] == wanted
    assert took.refused == 0
    created = next(event for event in took.events if event.type == "customer.subscription.created")
    # What it holds is how things were then; what is fetched is how they are.
    assert (created.data.object["status"], subscription.status) == ("incomplete", "active")
    updated = next(event for event in took.events if event.type == "customer.subscription.updated")
    assert updated.data.previous_attributes.to_dict() == {"status": "incomplete"}
    listed = await client_of(hooked.url).events.list_async({"types": ["invoice.paid"]})
    assert [event.pending_webhooks for event in listed.data] == [0]


async def test_a_receiver_that_fails_is_tried_again_with_the_same_body(hooked: Simulator, receiver: Hook) -> None:
    took, _ = receiver
    took.failures = 3
    v1 = client_of(hooked.url)
    customer = await v1.customers.create_async({"name": "Ada"})
    await v1.customers.update_async(customer.id, {"name": "Eve"})
    await hooked.settled()
    assert sorted(took.types) == ["customer.created", "customer.updated"]
    created = next(event for event in took.events if event.type == "customer.created")
    assert created.data.object["name"] == "Ada"


async def test_webhooks_come_twice_late_reordered_or_never_when_asked(hooked: Simulator, receiver: Hook) -> None:
    took, _ = receiver
    v1 = client_of(hooked.url)
    hooked.outbox.disturbance.hold = True
    names = ["a", "b", "c"]
    for name in names:
        await v1.products.create_async({"name": name})
    assert took.events == []
    hooked.outbox.disturbance.order = "reversed"
    hooked.outbox.disturbance.duplicate = 1
    hooked.outbox.disturbance.hold = False
    await hooked.settled()
    assert [event.data.object["name"] for event in took.events] == ["c", "c", "b", "a"]
    hooked.outbox.disturbance.drop = 1
    lost = await v1.products.create_async({"name": "lost"})
    await hooked.settled()
    assert len(took.events) == 4
    event = next(each for each in (await v1.events.list_async({})).data if each.data.object["id"] == lost.id)
    hooked.resend(event.id)
    await hooked.settled()
    assert took.events[-1].id == event.id


async def test_while_a_secret_is_replaced_both_sign_and_then_the_new_one_alone(
    hooked: Simulator, receiver: Hook
) -> None:
    took, _ = receiver
    v1 = client_of(hooked.url)
    endpoint = (await v1.webhook_endpoints.list_async({})).data[0]
    fresh = hooked.roll_secret(endpoint.id, live_seconds=3_600)
    await v1.products.create_async({"name": "both"})
    await hooked.settled()
    assert (len(took.events), took.headers[-1].count("v1=")) == (1, 2)
    hooked.roll_secret(endpoint.id, live_seconds=0, secret=fresh)
    await v1.products.create_async({"name": "new"})
    for _ in range(200):
        if took.refused:
            break
        await asyncio.sleep(0.01)
    assert took.refused == 1  # it only knows the old one
    took.secrets = [fresh]
    await hooked.settled()
    assert took.headers[-1].count("v1=") == 1
    await v1.webhook_endpoints.update_async(endpoint.id, {"disabled": True})
    await v1.products.create_async({"name": "unheard"})
    await hooked.settled()
    assert len(took.events) == 2


# -- faults ------------------------------------------------------------------------------------------------------------


async def test_an_answer_that_was_lost_after_the_commit_is_found_by_the_key(simulator: Simulator) -> None:
    patient, impatient = client_of(simulator.url), client_of(simulator.url, timeout=0.2)
    for kind, v1 in (("cut_after", patient), ("timeout", impatient)):
        simulator.fault(kind, path="/v1/customers")
        options = {"idempotency_key": f"key-{kind}"}
        with pytest.raises(stripe.APIConnectionError):
            await v1.customers.create_async({"name": kind}, options)
        made = await patient.customers.create_async({"name": kind}, options)
        assert made.last_response.headers["idempotent-replayed"] == "true"
        found = await patient.customers.search_async({"query": f"name:'{kind}'"})
        assert [each.id for each in found.data] == [made.id]


async def test_what_fails_before_the_commit_leaves_nothing(simulator: Simulator) -> None:
    v1 = client_of(simulator.url)
    simulator.fault("cut")
    with pytest.raises(stripe.APIConnectionError):
        await v1.customers.create_async({"name": "x"})
    simulator.fault("rate_limit")
    with pytest.raises(stripe.RateLimitError):
        await v1.customers.create_async({"name": "x"})
    simulator.fault("error", status=503)
    with pytest.raises(stripe.APIError):
        await v1.customers.create_async({"name": "x"})
    simulator.fault("outage")
    for _ in range(3):
        with pytest.raises(stripe.APIConnectionError):
            await v1.customers.list_async({})
    simulator.faults.clear()
    assert (await v1.customers.list_async({})).data == []
    retrying = client_of(simulator.url, retries=2)
    simulator.fault("error", count=2)
    assert (await retrying.customers.create_async({"name": "at last"})).name == "at last"


async def test_a_key_in_use_is_a_conflict(simulator: Simulator) -> None:
    v1, options = client_of(simulator.url), {"idempotency_key": "twice"}
    simulator.fault("slow", seconds=0.3)
    first = asyncio.create_task(v1.customers.create_async({"name": "x"}, options))
    await asyncio.sleep(0.1)
    with pytest.raises(stripe.APIError) as caught:  # which the client tries again by itself, where it may
        await v1.customers.create_async({"name": "x"}, options)
    assert (caught.value.http_status, caught.value.json_body["error"]["code"]) == (409, "idempotency_key_in_use")
    again = await v1.customers.create_async({"name": "x"}, options) if first.done() else await first
    assert again.name == "x"
    await first


async def test_only_its_key_and_its_version_get_in(simulator: Simulator) -> None:
    with pytest.raises(stripe.AuthenticationError):
        await client_of(simulator.url, "sk_test_wrong").customers.list_async({})
    async with httpx.AsyncClient(base_url=simulator.url) as http:
        assert (await http.get("/v1/customers")).status_code == 401
        assert (await http.post("/_sim/clock", json={"advance": 1})).status_code == 401
        headers = {"Authorization": f"Bearer {KEY}"}
        old = await http.get("/v1/customers", headers=headers | {"Stripe-Version": "2020-08-27"})
        assert old.status_code == 400
        unknown = await http.get("/v1/planets", headers=headers)
        assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "invalid_request_error")
        form = await http.post("/_sim/faults", headers=headers, data={"kind": "cut"})
        assert form.status_code == 415
        moved = await http.post("/_sim/clock", headers=headers, json={"advance": 60})
        assert moved.json() == {"now": START + 60, "steps": 0}
        back = await http.post("/_sim/clock", headers=headers, json={"to": START})
        assert back.status_code == 400


# -- clock -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["unpaid", "canceled", "past_due"])
async def test_two_weeks_of_failed_retries_end_as_the_settings_say(simulator: Simulator, v1: Any, after: str) -> None:
    simulator.change(lambda sim: sim.settings.update(after_retries=after))
    subscription = await subscribed(simulator, v1)
    simulator.decline("insufficient_funds", subscription.customer)
    simulator.advance_to(at(2026, 4, 10, 14))
    assert (await v1.subscriptions.retrieve_async(subscription.id)).status == "past_due"
    simulator.advance_to(at(2026, 4, 25))
    ended = await v1.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})
    assert (ended.status, ended.latest_invoice.attempt_count) == (after, 9)
    assert ended.latest_invoice.next_payment_attempt is None
    told = [event.type for event in (await v1.events.list_async({"limit": 100})).data]
    assert told.count("invoice.payment_failed") == 9
    simulator.decline(None, subscription.customer)
    if after != "canceled":
        await v1.invoices.pay_async(ended.latest_invoice.id)
        assert (await v1.subscriptions.retrieve_async(subscription.id)).status == "active"


async def test_a_test_clock_moves_only_its_customers(simulator: Simulator, v1: Any) -> None:
    mine = await subscribed(simulator, v1)
    clock = await v1.test_helpers.test_clocks.create_async({"frozen_time": START})
    other = await v1.customers.create_async({"test_clock": clock.id, "payment_method": "pm_card_visa"})
    price = mine["items"].data[0].price.id
    theirs = await v1.subscriptions.create_async({"customer": other.id, "items": [{"price": price}]})
    with pytest.raises(stripe.InvalidRequestError, match="two intervals"):
        await v1.test_helpers.test_clocks.advance_async(clock.id, {"frozen_time": at(2026, 9, 1)})
    await v1.test_helpers.test_clocks.advance_async(clock.id, {"frozen_time": at(2026, 4, 20)})
    ends = [
        (await v1.subscriptions.retrieve_async(each.id))["items"].data[0].current_period_end for each in (mine, theirs)
    ]
    assert ends == [at(2026, 4, 10, 12), at(2026, 5, 10, 12)]


async def test_the_clock_goes_by_itself_unless_it_is_frozen() -> None:
    async with Simulator(Options(key=KEY, seed="tests")) as running:
        v1 = client_of(running.url)
        before = running.sim.now()
        running.advance(86_400)
        made = await v1.products.create_async({"name": "tomorrow"})
        assert 86_400 <= made.created - before <= 86_402
        session = await checkout(v1, expires_at=running.sim.now() + 1_801)
        running.advance(1_800)
        for _ in range(300):  # the last second passes by itself
            if (await v1.checkout.sessions.retrieve_async(session.id)).status == "expired":
                break
            await asyncio.sleep(0.02)
        assert (await v1.checkout.sessions.retrieve_async(session.id)).status == "expired"


async def test_after_a_restart_all_is_as_it_was(tmp_path: Path, receiver: Hook) -> None:
    took, url = receiver
    state = tmp_path / "stripe.db"
    options = Options(
        key=KEY, frozen_at=START, seed="tests", state=state, webhook="http://127.0.0.1:1/", signing_secret=SECRET
    )
    async with Simulator(options) as running:
        subscription = await subscribed(running, client_of(running.url))
        running.advance(60)
        waiting = running.outbox.waiting()
        assert waiting  # nobody listens there
    async with Simulator(options) as running:
        v1 = client_of(running.url)
        assert running.sim.now() == START + 60
        same = await v1.subscriptions.retrieve_async(subscription.id)
        assert same.to_dict() == subscription.to_dict()
        assert running.outbox.waiting() == waiting
        made = await v1.customers.create_async({})
        assert made.id != subscription.customer
        endpoint = (await v1.webhook_endpoints.list_async({})).data[0]
        await v1.webhook_endpoints.update_async(endpoint.id, {"url": url})
        await running.settled()
        assert len(took.events) == waiting + 1
        running.advance_to(at(2026, 4, 10, 14))
        assert (await v1.invoices.list_async({"customer": subscription.customer})).data[0].status == "paid"


# -- pages -------------------------------------------------------------------------------------------------------------


async def test_a_customer_pays_on_the_checkout_page_and_comes_back(simulator: Simulator, v1: Any) -> None:
    session = await checkout(v1)
    async with httpx.AsyncClient() as http:
        page = await http.get(session.url)
        assert "99.00 USD today" in page.text and "http://portal.test/no" in page.text
        assert "script" not in page.text and "'none'" in page.headers["content-security-policy"]
        form = {"email": "ada@example.com", "number": "4000 0000 0000 0002", "expiry": "12/34", "cvc": "123"}
        declined = await http.post(session.url, data=form)
        assert declined.status_code == 402 and "Your card was declined." in declined.text
        assert (await v1.subscriptions.list_async({"status": "all"})).data == []
        assert (await v1.customers.list_async({})).data == []  # nothing is half done
        foreign = await http.post(session.url, data=form, headers={"Origin": "http://evil.test"})
        assert foreign.status_code == 403
        paid = await http.post(session.url, data=form | {"number": "4242 4242 4242 4242"})
        assert paid.status_code == 303
        assert paid.headers["location"] == f"http://portal.test/done?page={session.id}"
        again = await http.get(session.url)
        assert again.status_code == 410 and "paid already" in again.text
    done = await v1.checkout.sessions.retrieve_async(session.id, {"expand": ["customer", "subscription"]})
    assert (done.status, done.payment_status, done.customer.email) == ("complete", "paid", "ada@example.com")
    assert done.subscription.default_payment_method
    with pytest.raises(StripeError):
        simulator.complete_checkout(session.id)


async def test_in_the_portal_a_card_is_changed_and_an_invoice_paid(simulator: Simulator, v1: Any) -> None:
    subscription = await subscribed(simulator, v1)
    simulator.decline("generic_decline")
    simulator.advance_to(at(2026, 4, 10, 14))
    session = await v1.billing_portal.sessions.create_async(
        {"customer": subscription.customer, "return_url": "http://portal.test/billing"}
    )
    async with httpx.AsyncClient(base_url=simulator.url, follow_redirects=True) as http:
        page = await http.get(session.url)
        assert "past due" in page.text and "http://portal.test/billing" in page.text
        changed = await http.post(f"{session.url}/card", data={"number": "5555 5555 5555 4444"})
        assert "Mastercard ending in 4444" in changed.text
        canceled = await http.post(f"{session.url}/cancel", data={"subscription": subscription.id})
        assert "Ends on 10 May 2026" in canceled.text
        kept = await http.post(f"{session.url}/renew", data={"subscription": subscription.id})
        assert "Renews on 10 May 2026" in kept.text
        latest = re.search(r'href="(http://[^"]+/i/in_[^"]+)"', page.text)
        assert latest is not None
        refused = await http.post(f"{latest[1]}/pay", data={"number": "4242424242424242"})
        assert refused.status_code == 402
        simulator.decline(None)
        paid = await http.post(f"{latest[1]}/pay", data={"number": "4242424242424242"})
        assert "paid" in paid.text and "button" not in paid.text
        file = await http.get(f"{latest[1]}/pdf")
        assert file.content.startswith(b"%PDF-") and file.headers["content-type"] == "application/pdf"
        charge = (await v1.charges.list_async({"limit": 1})).data[0]
        assert "Receipt" in (await http.get(charge.receipt_url)).text
        assert "active" in (await http.get("/")).text
        assert (await http.get("/p/session/bps_nothing")).status_code == 404
    assert (await v1.subscriptions.retrieve_async(subscription.id)).status == "active"


# -- the command -------------------------------------------------------------------------------------------------------


async def test_the_command_says_where_it_is_and_ends_in_good_order(tmp_path: Path) -> None:
    options = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    command = [sys.executable, "-m", "ops.cli", "stripe-sim", "--state", str(tmp_path / "state.db"), "--port"]
    running = await asyncio.create_subprocess_exec(*command, "0", **options)
    assert running.stdout is not None
    said: dict[str, str] = {}
    async with asyncio.timeout(30):
        while "Secret key" not in said:
            name, _, value = (await running.stdout.readline()).decode().strip().partition("  ")
            said[name] = value.strip()
    url = said["Stripe simulator"]
    product = await client_of(url, said["Secret key"]).products.create_async({"name": "x"})
    assert product.id.startswith("prod_")
    second = await asyncio.create_subprocess_exec(*command, url.rpartition(":")[2], **options)
    _, why = await second.communicate()
    assert second.returncode == 1 and b"cannot be used" in why
    running.terminate()
    await running.communicate()
    assert running.returncode == 0
