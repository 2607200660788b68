"""The provider on the simulator, over a real socket and with the real library."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from billing.coupons import redeem
from billing.credits.ledger import grant_credit
from billing.provider.port import AlreadySubscribed, NoSubscription, ProviderAway
from billing.provider.stripe.commands import ask
from billing.provider.stripe.refused import ask_again, count_refused, let_be, refused
from billing.tenants import end_app, last_invoice_made
from billing.terms.service import set_addon, set_override, start_trial
from control_plane.organizations.closing import KEPT_FOR, close_organization
from control_plane.organizations.erasure import erase_due
from control_plane.organizations.service import rename_organization
from kernel.errors import InvalidInput, NotFound
from tests.billing.stripe_world import BACK, Paid, paid
from tests.engines import TemporaryDatabase

FIRST = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
async def shop(control_database: TemporaryDatabase) -> AsyncIterator[Paid]:
    async with paid(control_database) as found:
        await found.rounds()
        yield found


async def test_from_checkout_to_an_invoice_that_is_what_was_used(shop: Paid) -> None:
    preview = await shop.provider.preview(shop.owner, shop.ada.id, "growth")
    await shop.ada.use("messages", 100)
    await shop.buy("growth")
    assert await shop.plan() == "growth@1"
    seen = await shop.seen()
    assert (seen.status, seen.period_end) == ("active", FIRST)
    assert {item["key"].removeprefix("natter:growth@1:") for item in seen.items} == {
        "base", "mau", "peak_connections", "messages", "storage_bytes"
    }  # fmt: skip
    standing = await shop.provider.standing(shop.owner)
    assert (standing.has_card, standing.card) == (True, "Visa ending in 4242")
    [first] = await shop.provider.invoices(shop.owner)
    assert (first.status, first.total, first.app_id) == ("paid", preview.due_now, shop.ada.id)
    await shop.ada.use("messages", 21_500_001)
    await shop.ada.use("peak_connections", 2_510)
    await shop.ada.use("storage_bytes", 501_000_000_001)
    await shop.until(FIRST + timedelta(minutes=30))
    draft = (await shop.provider.invoices(shop.owner))[0]
    assert draft.status == "draft", "it waits for its usage"
    await shop.pass_time(timedelta(hours=2), step=timedelta(hours=1))
    newest = (await shop.provider.invoices(shop.owner))[0]
    assert (newest.id, newest.status) == (draft.id, "paid")
    amounts = {line.meter: (line.quantity, line.amount) for line in newest.lines if line.meter and line.amount}
    quantities: dict[str, int] = {}
    for line in newest.lines:
        if line.meter:
            quantities[line.meter] = quantities.get(line.meter, 0) + (line.quantity or 0)
    assert quantities == {"messages": 22, "mau": 0, "peak_connections": 2_510, "storage_bytes": 502}, amounts
    assert sum(amount for _, amount in amounts.values()) == 2 * 200 + 10 * 20 + 2 * 5
    assert newest.total == 39_900 + 610
    assert await shop.differences() == []


async def test_a_larger_plan_now_a_smaller_one_at_the_months_end(shop: Paid) -> None:
    await shop.rounds()
    with pytest.raises(NoSubscription):
        await shop.provider.change(shop.owner, shop.ada.id, "growth")
    await shop.buy("starter")
    with pytest.raises(AlreadySubscribed):
        await shop.provider.checkout(shop.owner, shop.ada.id, "growth", return_url=BACK)
    # More than the smaller plan includes, and less than the larger one.
    await shop.ada.use("messages", 3_500_000)
    await shop.pass_time(timedelta(days=3, minutes=7))
    preview = await shop.provider.preview(shop.owner, shop.ada.id, "growth")
    await shop.pass_time(timedelta(minutes=5))
    await shop.provider.change(shop.owner, shop.ada.id, "growth", at=preview.at)
    assert await shop.plan() == "growth@1", "at once, without any event"
    await shop.rounds()
    charged = (await shop.provider.invoices(shop.owner))[0]
    assert (charged.status, charged.total) == ("paid", preview.due_now)
    assert sorted(line.amount for line in charged.lines if line.amount) == sorted(line.amount for line in preview.lines)

    when = await shop.provider.change(shop.owner, shop.ada.id, "starter")
    assert when == FIRST
    [standing] = (await shop.provider.standing(shop.owner)).apps
    assert (standing.plan_id, standing.next_plan, standing.waiting) == ("growth", "starter", False)
    assert await shop.provider.keep(shop.owner, shop.ada.id)
    assert not await shop.provider.keep(shop.owner, shop.ada.id)
    await shop.provider.change(shop.owner, shop.ada.id, "starter")
    await shop.month_end(FIRST)
    assert await shop.plan() == "starter@1"
    assert (await shop.seen()).plan == "starter"
    newest = (await shop.provider.invoices(shop.owner))[0]
    assert newest.total == 9_900
    assert await shop.provider.cancel(shop.owner, shop.ada.id) == datetime(2027, 1, 1, tzinfo=UTC)
    await shop.month_end(datetime(2027, 1, 1, tzinfo=UTC))
    assert await shop.plan() == "free@1"
    assert (await shop.seen()).status == "canceled"
    assert await shop.differences() == []


async def test_an_upgrade_and_its_undoing_cost_nothing(shop: Paid) -> None:
    await shop.buy("starter")
    await shop.pass_time(timedelta(days=2, hours=5, seconds=11))
    balance = [invoice.total for invoice in await shop.provider.invoices(shop.owner)]
    await shop.provider.change(shop.owner, shop.ada.id, "growth")
    # A person cannot go back in the middle of a month; the arithmetic of Stripe's prorations is asked all the same.
    seen = await shop.seen()
    preview = await shop.worker._parts.api.call(
        shop.worker._parts.api.v1.invoices.create_preview_async,
        customer=seen.customer_id,
        subscription=seen.subscription_id,
        subscription_details={
            "items": [
                {"id": item["id"], "price": (await _price(shop, item["key"].replace("growth", "starter")))}
                for item in seen.items
            ],
            "proration_behavior": "always_invoice",
            "proration_date": int(shop.world.clock.now().timestamp()),
        },
    )
    await shop.rounds()
    charged = sum(invoice.total for invoice in await shop.provider.invoices(shop.owner)) - sum(balance)
    assert abs(charged + preview["total"]) <= 1


async def _price(shop: Paid, key: str) -> str:
    [row] = await shop.rows("select price_id from control.stripe_prices where lookup_key = :key", key=key)
    return str(row.price_id)


async def test_two_who_pay_for_one_app_have_one_subscription(shop: Paid) -> None:
    pages = await asyncio.gather(
        *(shop.provider.checkout(shop.owner, shop.ada.id, "starter", return_url=BACK) for _ in range(3))
    )
    open_pages = [page for page in shop.sim.sim.store.all("checkout.session") if page["status"] == "open"]
    assert {page["url"] for page in open_pages} >= set(pages)
    for page in open_pages[:2]:
        shop.sim.complete_checkout(page["id"])
    await shop.rounds()
    subscriptions = list(shop.sim.sim.store.all("subscription"))
    assert sorted(each["status"] for each in subscriptions) == ["active", "canceled"]
    paid_twice = [each for each in shop.sim.sim.store.all("invoice") if each["amount_paid"]]
    assert len(paid_twice) == 2
    standing = await shop.provider.standing(shop.owner)
    assert standing.balance == paid_twice[0]["amount_paid"], "what was paid for nothing is the customer's"
    assert not [page for page in shop.sim.sim.store.all("checkout.session") if page["status"] == "open"]
    assert (await shop.seen()).subscription_id == min((each["created"], each["id"]) for each in subscriptions)[1]


async def test_apps_of_one_customer_have_meters_of_their_own(shop: Paid) -> None:
    other = (await shop.world.app(shop.owner, "Second")).app
    await shop.buy("starter")
    await shop.buy("starter", app=other.id)
    await shop.ada.use("messages", 4_000_000)
    await shop.month_end(FIRST)
    totals = {invoice.app_id: invoice.total for invoice in (await shop.provider.invoices(shop.owner))[:2]}
    assert totals == {shop.ada.id: 9_900 + 200, other.id: 9_900}
    assert await shop.differences() == []


async def test_terms_of_its_own_reach_the_subscription(shop: Paid) -> None:
    await shop.buy("growth")
    async with shop.world.deps.change_as(shop.owner, "req") as ctx:
        await set_addon(ctx, shop.ada.id, "mau_10k", 2)
    async with shop.world.change() as ctx:
        await set_override(ctx, shop.ada.id, "messages.included", 30_000_000, reason="Agreed")
    await shop.pass_time(timedelta(hours=1))
    keys = {item["key"]: item["quantity"] for item in (await shop.seen()).items}
    assert keys["natter:addon:mau_10k@1"] == 2
    assert "natter:growth@1:mau:1:70000-2" in keys
    assert "natter:growth@1:messages:1:30-200" in keys
    await shop.ada.use("messages", 30_000_000)
    await shop.month_end(FIRST)
    assert await shop.differences() == []


async def test_a_deleted_app_is_charged_until_then(shop: Paid) -> None:
    await shop.buy("starter")
    first = (await shop.provider.invoices(shop.owner))[0].total
    await shop.pass_time(timedelta(days=5))
    await shop.ada.use("messages", 5_000_000)
    async with shop.world.deps.change_as(shop.owner, "req") as ctx:
        await end_app(ctx, shop.ada.id, confirm=shop.ada.app.name)
    await shop.pass_time(timedelta(minutes=2))
    assert (await shop.seen()).status == "canceled"
    last = (await shop.provider.invoices(shop.owner))[0]
    assert sum(line.amount for line in last.lines if line.meter) == 2 * 200
    given_back = sum(line.amount for line in last.lines if not line.meter)
    assert -first < given_back < 0


async def test_a_card_before_the_trials_end_and_a_trial_without(shop: Paid) -> None:
    other = await shop.world.owner("bob@example.com", "Bobs")
    bobs = (await shop.world.app(other, "Bobs")).app
    for owner, app in ((shop.owner, shop.ada.id), (other, bobs.id)):
        async with shop.world.deps.change_as(owner, "req") as ctx:
            await start_trial(ctx, app, "growth")
    await shop.pass_time(timedelta(days=2))
    await shop.buy("growth")
    assert await shop.plan() == "growth@1"
    assert (await shop.provider.invoices(shop.owner)) == [], "the trial costs nothing"
    await shop.pass_time(timedelta(days=12, minutes=2))
    seen = await shop.seen()
    assert (seen.status, seen.plan, seen.period_end) == ("active", "growth", FIRST)
    [invoice] = await shop.provider.invoices(shop.owner)
    assert invoice.status == "paid"
    assert 0 < invoice.total < 39_900 // 4
    assert (await shop.plan(), await shop.plan(bobs.id)) == ("growth@1", "free@1")


async def test_what_is_not_paid_and_paid_late(shop: Paid) -> None:
    told: list[datetime | None] = []

    from billing.provider.stripe import dunning

    original = dunning.tell

    async def listen(ctx: object, app_id: object, since: datetime | None) -> None:
        told.append(since)
        await original(ctx, app_id, since)  # type: ignore[arg-type]

    dunning.tell = listen
    try:
        await shop.buy("starter")
        shop.sim.decline("card_declined")
        await shop.month_end(FIRST)
        seen = await shop.seen()
        assert seen.status == "past_due"
        assert seen.unpaid_since is not None
        assert seen.unpaid_since >= FIRST
        assert told[-1] == seen.unpaid_since
        assert await shop.plan() == "starter@1", "what becomes of it is the ladder's"
        shop.sim.decline(None)
        await shop.pass_time(timedelta(days=4), step=timedelta(days=2))
        assert (await shop.seen()).unpaid_since is None
        assert told[-1] is None
    finally:
        dunning.tell = original


async def test_when_stripe_is_away_the_wish_is_kept_and_nothing_else_stops(shop: Paid) -> None:
    await shop.buy("starter")
    shop.sim.fault("outage")
    before = shop.sim.api.calls
    with pytest.raises(ProviderAway) as away:
        await shop.provider.change(shop.owner, shop.ada.id, "growth")
    assert away.value.kept
    with pytest.raises(ProviderAway):
        await shop.provider.portal(shop.owner, return_url=BACK)
    standing = await shop.provider.standing(shop.owner)
    assert standing.away_since is not None
    assert standing.apps[0].waiting
    spent = shop.sim.api.calls
    assert spent > before
    # What chat and the other pages depend on asks nobody.
    await shop.ada.use("messages", 5)
    await shop.ada.snapshot()
    await shop.ada.preview()
    await shop.ada.close()
    async with shop.world.deps.change_as(shop.owner, "req") as ctx:
        await rename_organization(ctx, shop.owner, "Engines")
    assert shop.sim.api.calls == spent
    shop.sim.faults.clear()
    await shop.pass_time(timedelta(minutes=10))
    assert await shop.plan() == "growth@1"
    assert (await shop.provider.standing(shop.owner)).away_since is None


async def test_what_stripe_refused_is_asked_for_again_once_it_can_be_done_or_is_let_be(shop: Paid) -> None:
    await shop.buy()
    organization, app = shop.owner.organization_id, shop.ada.id
    async with shop.world.change() as ctx:
        wrong = await ask(ctx, organization, app, "coupon", {"code": "NOPE"})
        never = await ask(ctx, organization, app, "coupon", {"code": "NEVER"})
    assert wrong is not None
    assert never is not None
    await shop.rounds()
    async with shop.world.deps.database.unit_of_work() as uow:
        first = await refused(uow.session, limit=1)
        rest = await refused(uow.session, limit=1, cursor=first.next_cursor)
        assert await count_refused(uow.session) == 2
        with pytest.raises(InvalidInput):
            await refused(uow.session, cursor="x")
    assert [each.id for each in (*first.items, *rest.items)] == [never, wrong]
    assert rest.next_cursor is None
    assert "natter_NOPE" in (rest.items[0].error or "")
    # Too early: it is refused again, and not by an answer that was kept.
    async with shop.world.change() as ctx:
        await ask_again(ctx, wrong)
    await shop.rounds()
    [tried] = await shop.rows("select state, attempts from control.stripe_commands where id = :id", id=wrong)
    assert tuple(tried) == ("refused", 2)
    api = shop.worker.commands._api
    await api.call(api.v1.coupons.create_async, id="natter_NOPE", percent_off=10, duration="once")
    async with shop.world.change() as ctx:
        await ask_again(ctx, wrong)
        await let_be(ctx, never)
        for act in (ask_again, let_be):
            with pytest.raises(NotFound):
                await act(ctx, never)
    await shop.rounds()
    states = await shop.rows("select id, state from control.stripe_commands where kind = 'coupon'")
    assert {row.id: row.state for row in states} == {wrong: "done", never: "dropped"}
    subscription = await api.call(
        api.v1.subscriptions.retrieve_async, str((await shop.seen()).subscription_id), expand=["discounts"]
    )
    assert len(subscription["discounts"]) == 1
    async with shop.world.deps.database.unit_of_work() as uow:
        assert await count_refused(uow.session) == 0
    # What the customer was told is no business of staff's.
    async with shop.world.change() as ctx:
        wish = await ask(ctx, organization, app, "keep", {})
        refuse = text("update control.stripe_commands set state = 'refused' where id = :id")
        await ctx.session.execute(refuse, {"id": wish})
        assert (await refused(ctx.session)).items == []
        with pytest.raises(NotFound):
            await ask_again(ctx, wish)  # type: ignore[arg-type]


async def test_credits_and_coupons_come_off_the_bill_once_and_an_erased_customer_is_forgotten(shop: Paid) -> None:
    organization = shop.owner.organization_id
    await shop.buy("starter")
    async with shop.world.change() as ctx:
        await grant_credit(ctx, organization, 1_000, reason="For the trouble")
    async with shop.world.deps.change_as(shop.owner, "req") as ctx:
        await redeem(ctx, organization, "WELCOME50")
    await shop.pass_time(timedelta(minutes=10), step=timedelta(minutes=2))
    [customer] = [each for each in shop.sim.sim.store.all("customer")]
    assert customer["balance"] == -1_000
    assert len(list(shop.sim.sim.store.all("customer_balance_transaction"))) == 1
    await shop.month_end(FIRST)
    bill = (await shop.provider.invoices(shop.owner))[0]
    assert (bill.status, bill.subtotal, bill.total) == ("paid", 9_900, 4_950)
    [invoice] = [each for each in shop.sim.sim.store.all("invoice") if each["id"] == bill.id]
    assert (invoice["amount_due"], invoice["amount_paid"]) == (3_950, 3_950)
    assert await shop.differences() == []
    async with shop.world.deps.change_as(shop.owner, "req") as ctx:
        await close_organization(ctx, shop.owner)
    await shop.pass_time(KEPT_FOR + timedelta(days=40), step=timedelta(days=9))
    assert await erase_due(shop.world.deps, last_invoice_made) == 1
    await shop.pass_time(timedelta(minutes=10))
    [gone] = shop.sim.sim.store.all("customer")
    assert gone.get("deleted") is True
    assert await shop.rows("select type, last_error from control.stripe_events where last_error is not null") == []
