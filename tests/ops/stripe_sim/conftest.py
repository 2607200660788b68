"""A simulator on a real socket, the official client pointed at it, and a receiver of webhooks.

`account` is the same for tests that Stripe itself can run: with `STRIPE_TEST_KEY` set it is Stripe's test mode.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from aiohttp import web

from ops.stripe_sim.server import Options, Simulator

KEY = "sk_test_simulator"
SECRET = "whsec_simulator"
START = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp())


def at(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp())  # type: ignore[misc]


_opened: list[stripe.HTTPXClient] = []


def client_of(url: str, key: str = KEY, *, retries: int = 0, timeout: float = 80) -> Any:
    """The official client's `v1`; it tries nothing twice unless it is told to. `closing` closes it."""
    addresses = {"base_addresses": {"api": url}} if url else {}
    http = stripe.HTTPXClient(timeout=timeout)
    _opened.append(http)
    return stripe.StripeClient(key, http_client=http, max_network_retries=retries, **addresses).v1


@pytest.fixture(autouse=True)
async def closing() -> AsyncIterator[None]:
    yield
    while _opened:
        await _opened.pop().close_async()


class Receiver:
    """Takes webhooks with any of its secrets; `failures` of the next ones are answered with 500."""

    def __init__(self) -> None:
        self.events: list[stripe.Event] = []
        self.headers: list[str] = []
        self.bodies: list[bytes] = []
        self.secrets = [SECRET]
        self.refused = 0
        self.failures = 0

    async def take(self, request: web.Request) -> web.Response:
        body, header = await request.read(), request.headers["Stripe-Signature"]
        if self.failures:
            self.failures -= 1
            return web.Response(status=500)
        for secret in self.secrets:
            try:
                event = stripe.Webhook.construct_event(body, header, secret)
            except stripe.SignatureVerificationError:
                continue
            self.events.append(event)
            self.headers.append(header)
            self.bodies.append(body)
            return web.Response()
        self.refused += 1
        return web.Response(status=400)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(Options(key=KEY, frozen_at=START, seed="tests")) as running:
        yield running


@pytest.fixture
def v1(simulator: Simulator) -> Iterator[Any]:
    return client_of(simulator.url)


class Account:
    """What a test needs of Stripe, or of the simulator: a client, and customers that live by a test clock."""

    def __init__(self, v1: Any, *, real: bool) -> None:
        self.v1 = v1
        self.real = real

    async def clock(self, moment: int) -> str:
        made = await self.v1.test_helpers.test_clocks.create_async({"frozen_time": moment})
        return str(made.id)

    async def advance(self, clock: str, moment: int) -> None:
        """Move a test clock; Stripe does it in its own time."""
        moved = await self.v1.test_helpers.test_clocks.advance_async(clock, {"frozen_time": moment})
        while moved.status == "advancing":
            await asyncio.sleep(1)
            moved = await self.v1.test_helpers.test_clocks.retrieve_async(clock)

    async def customer(self, clock: str, card: str = "pm_card_visa", **params: Any) -> Any:
        customer = await self.v1.customers.create_async({"email": "ada@example.com", "test_clock": clock, **params})
        if card:
            method = await self.v1.payment_methods.attach_async(card, {"customer": customer.id})
            settings = {"default_payment_method": method.id}
            customer = await self.v1.customers.update_async(customer.id, {"invoice_settings": settings})
        return customer

    async def price(self, amount: int = 9_900, **params: Any) -> Any:
        product = await self.v1.products.create_async({"name": "Starter"})
        recurring = {"recurring": {"interval": "month"}}
        return await self.v1.prices.create_async(
            {"product": product.id, "currency": "usd", "unit_amount": amount, **recurring, **params}
        )

    async def meter_price(self, event: str, tiers: list[dict[str, Any]], formula: str = "sum") -> tuple[Any, Any]:
        meter = await self.v1.billing.meters.create_async(
            {"display_name": event, "event_name": event, "default_aggregation": {"formula": formula}}
        )
        product = await self.v1.products.create_async({"name": f"Use of {event}"})
        recurring = {"interval": "month", "usage_type": "metered", "meter": meter.id}
        price = await self.v1.prices.create_async(
            {
                "product": product.id,
                "currency": "usd",
                "recurring": recurring,
                "billing_scheme": "tiered",
                "tiers_mode": "graduated",
                "tiers": tiers,
            }
        )
        return meter, price


@pytest.fixture
async def account(simulator: Simulator) -> Account:
    key = os.environ.get("STRIPE_TEST_KEY", "")
    if key:
        assert "_test_" in key, "STRIPE_TEST_KEY must be a key of Stripe's test mode."
        return Account(client_of("", key), real=True)
    return Account(client_of(simulator.url), real=False)
