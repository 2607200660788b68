"""Events: signatures, order, repetition, staleness, dead letters."""

import asyncio
import hashlib
import hmac
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.provider.stripe import inbox
from billing.provider.stripe.signature import genuine
from kernel.errors import NotFound
from tests.billing.stripe_world import SECRET, Paid, paid
from tests.engines import TemporaryDatabase

FIRST = datetime(2026, 12, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
async def shop(control_database: TemporaryDatabase) -> AsyncIterator[Paid]:
    async with paid(control_database) as found:
        await found.rounds()
        yield found


def signed(body: bytes, secret: str = SECRET, at: datetime = NOW) -> str:
    moment = str(int(at.timestamp()))
    return f"t={moment},v1={hmac.new(secret.encode(), moment.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


@given(body=st.binary(max_size=200), place=st.integers(min_value=0), age=st.integers(-300, 300))
def test_a_signature_is_of_every_byte_and_of_a_live_secret_and_of_now(body: bytes, place: int, age: int) -> None:
    header = signed(body, at=NOW - timedelta(seconds=age))
    assert genuine(body, header, ["whsec_new", SECRET], now=NOW)
    assert not genuine(body, header, ["whsec_new"], now=NOW), "rotated out"
    assert not genuine(body, signed(body, at=NOW - timedelta(seconds=301)), [SECRET], now=NOW)
    assert not genuine(body, signed(body, at=NOW + timedelta(seconds=302)), [SECRET], now=NOW)
    spoiled = bytearray(body + b"x")
    spoiled[place % len(spoiled)] ^= 1
    assert not genuine(bytes(spoiled), header, [SECRET], now=NOW)
    for wrong in ("", header.replace("v1=", "v0="), header.replace("t=", "x="), header + ",t=1", "t=,v1=", "t=1,v1=é"):
        assert not genuine(body, wrong, [SECRET], now=NOW)


async def test_the_endpoint_stores_once_what_is_signed_and_nothing_else(shop: Paid) -> None:
    body = msgspec.json.encode(
        {"id": "evt_1", "type": "invoice.paid", "created": 1, "data": {"object": {"id": "in_1"}}}
    )
    async with shop.world.serve() as client:

        async def call(content: bytes, signature: str) -> int:
            headers = {"stripe-signature": signature, "content-type": "application/json"}
            return (await client.post("/webhooks/stripe", content=content, headers=headers)).status_code

        now = shop.world.clock.now()
        assert await call(body, signed(body, "whsec_other", now)) == 422
        assert await call(body + b" ", signed(body, at=now)) == 422
        assert await call(body, signed(body, at=now - timedelta(minutes=6))) == 422
        assert await call(b"[]", signed(b"[]", at=now)) == 422
        assert await shop.rows("select 1 from control.stripe_events where event_id = 'evt_1'") == []
        assert {await call(body, signed(body, at=now)) for _ in range(3)} == {200}
    [row] = await shop.rows("select type, object_id, state from control.stripe_events where event_id = 'evt_1'")
    assert tuple(row) == ("invoice.paid", "in_1", "pending")
    await shop.rounds()
    [row] = await shop.rows("select state from control.stripe_events where event_id = 'evt_1'")
    assert row.state == "done", "of an invoice that is not there, nothing follows"


async def test_what_cannot_be_worked_off_is_a_dead_letter_and_can_be_replayed(shop: Paid) -> None:
    tries: list[str] = []

    async def handle(kind: str, object_id: str) -> None:
        tries.append(object_id)
        if len(tries) <= inbox.MAX_ATTEMPTS:
            raise ValueError("broken")

    box = inbox.Inbox(shop.world.deps, handle)
    async with shop.world.deps.database.unit_of_work() as uow:
        event = {"id": "evt_x", "type": "odd", "created": 1, "data": {"object": {"id": "ob_1"}}}
        assert await inbox.note(uow.session, event, now=shop.world.clock.now())
        assert not await inbox.note(uow.session, event, now=shop.world.clock.now())
    for _ in range(inbox.MAX_ATTEMPTS):
        assert await box.step() == 0
        shop.world.clock.advance(timedelta(hours=3))
    assert await box.step() == 0
    async with shop.world.deps.database.unit_of_work() as uow:
        [letter] = (await inbox.reads(uow.session)).items
        assert (letter.event_id, letter.attempts, letter.error) == ("evt_x", inbox.MAX_ATTEMPTS, "broken")
        assert (await inbox.backlog(uow.session))["dead"] == 1
    async with shop.world.change() as ctx:
        await inbox.replay(ctx, "evt_x")
    with pytest.raises(NotFound):
        async with shop.world.change() as ctx:
            await inbox.replay(ctx, "evt_x")
    assert await box.step() == 1
    assert len(tries) == inbox.MAX_ATTEMPTS + 1
    actions = [row.action for row in await shop.rows("select action from control.audit_entries where target = 'evt_x'")]
    assert actions == ["stripe.event_replayed"]


async def state(shop: Paid) -> Any:
    """All that follows from Stripe: the mirror, the plan, what is unpaid, the invoices; without times of looks."""
    mirror = await shop.rows(
        "select subscription_id, status, plan, version, items, period_begin, period_end, cancels_at, next_plan, "
        "unpaid_since, latest_invoice from control.stripe_subscriptions"
    )
    invoices = await shop.rows(
        "select invoice_id, status, number, total, due, lines, paid_at from control.stripe_invoices order by 1"
    )
    facts = await shop.rows(
        "select kind, subject, value, began_at from control.terms where cancelled_at is null order by began_at, id"
    )
    dunning = await shop.rows("select unpaid_since, state from control.dunning")
    return (await shop.plan(), *([tuple(row) for row in rows] for rows in (mirror, invoices, facts, dunning)))


async def test_any_order_of_events_with_repetitions_ends_the_same(shop: Paid) -> None:
    """A history with everything in it: bought, changed, scheduled, refused, paid late. It is heard live once; then the
    database forgets what Stripe said and hears it again, shuffled and doubled."""
    await shop.buy("starter")
    await shop.pass_time(timedelta(days=2))
    await shop.provider.change(shop.owner, shop.ada.id, "growth")
    shop.sim.decline("card_declined")
    await shop.month_end(FIRST)
    shop.sim.decline(None)
    await shop.pass_time(timedelta(days=3))
    await shop.provider.change(shop.owner, shop.ada.id, "starter")
    await shop.rounds()
    expected = await state(shop)
    assert expected[0] == "growth@1"
    told = ("customer.", "invoice.", "checkout.", "payment_method.", "subscription_schedule.")
    heard = [
        (event["type"], event["data"]["object"].get("id", ""))
        for event in shop.sim.sim.store.all("event")
        if event["type"].startswith(told)
    ]
    assert len(heard) > 25
    # What is done depends on the object and the kind of thing that it is; one of each is enough, in every order.
    events = sorted({(kind.rpartition(".")[0], about): (kind, about) for kind, about in reversed(heard)}.values())
    loop = asyncio.get_running_loop()

    async def again(order: list[tuple[str, str]]) -> None:
        connection = await asyncpg.connect(shop.world.admin_url)
        await connection.execute("delete from control.stripe_invoices")
        await connection.execute(
            "update control.stripe_subscriptions set subscription_id = null, status = null, plan = null, "
            "version = null, items = '[]', unpaid_since = null, latest_invoice = null, fetched_at = null"
        )
        await connection.close()
        for kind, object_id in order:
            await shop.worker.handle(kind, object_id)
        assert await state(shop) == expected

    @settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def shuffled(seed: int) -> None:
        chance = random.Random(seed)
        order = [event for event in events for _ in range(chance.choice((1, 1, 2)))]
        chance.shuffle(order)
        asyncio.run_coroutine_threadsafe(again(order), loop).result(60)

    await asyncio.to_thread(shuffled)


async def test_an_earlier_look_never_replaces_a_later_one(shop: Paid) -> None:
    await shop.buy("starter")
    known = await shop.seen()
    mirror = shop.worker._parts.mirror
    stale = await mirror._look(known, {})
    assert stale is not None
    asked = shop.world.clock.now()
    shop.world.clock.advance(timedelta(seconds=5))
    shop.sim.advance_to(int(shop.world.clock.now().timestamp()))
    await shop.provider.change(shop.owner, shop.ada.id, "growth")
    expected = await state(shop)
    assert not await mirror.apply(shop.ada.id, stale, asked=asked, because="late")
    assert await state(shop) == expected
    assert await shop.plan() == "growth@1"
    # An invoice likewise.
    [newest, *_] = await shop.provider.invoices(shop.owner)
    answered = await shop.worker._parts.api.call(shop.worker._parts.api.v1.invoices.retrieve_async, newest.id)
    await shop.worker.invoices._store(
        answered | {"status": "open"}, answered["lines"]["data"], None, asked - timedelta(hours=1)
    )
    assert (await shop.provider.invoices(shop.owner))[0].status == newest.status
