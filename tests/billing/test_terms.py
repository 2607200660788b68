"""What is agreed: more at once, less at the period's end; nodes hear of it by themselves; nothing of the past is
changed."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.invoices.charges import charges
from billing.money import prorate
from billing.plans import load_catalog
from billing.terms.facts import Fact
from billing.terms.force import in_force
from billing.terms.service import (
    TrialUsed,
    change_plan,
    end_trial,
    keep_plan,
    set_addon,
    set_override,
    start_trial,
)
from billing.usage.periods import month_bounds
from control_plane.context import Actor
from kernel.errors import Conflict, Forbidden, InvalidInput
from tests.billing.customers import Customer, customer
from tests.control_plane.fixtures import World

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def as_owner(one: Customer, use_case: Any, *args: Any, **more: Any) -> Any:
    async with one.world.deps.change_as(one.owner, "req_test") as ctx:
        return await use_case(ctx, one.id, *args, **more)


async def as_operator(one: Customer, use_case: Any, *args: Any, **more: Any) -> Any:
    async with one.world.change() as ctx:
        return await use_case(ctx, one.id, *args, **more)


async def plan_of(one: Customer) -> str:
    return (await one.spend()).terms.plan.id


async def test_a_larger_plan_begins_now_and_a_smaller_one_when_the_period_ends(world: World) -> None:
    ada = await customer(world)
    assert await as_owner(ada, change_plan, "growth") == world.clock.now()
    assert (await ada.over())["messages"] == (20_000_000, "bill", False)
    assert (await ada.snapshot()).features == {"guests": True, "anonymous": True, "indexes": 50}

    assert await as_owner(ada, change_plan, "starter") == FEBRUARY
    assert (await ada.over())["messages"][0] == 20_000_000
    await ada.until(FEBRUARY - timedelta(milliseconds=1))
    assert (await ada.over())["messages"][0] == 20_000_000
    await ada.until(FEBRUARY)
    assert (await ada.over())["messages"][0] == 3_000_000
    assert await plan_of(ada) == "starter"


async def test_a_change_that_waits_can_be_taken_back(world: World) -> None:
    ada = await customer(world)
    await as_owner(ada, change_plan, "growth")
    await as_owner(ada, change_plan, "free")
    assert await as_owner(ada, keep_plan)
    assert not await as_owner(ada, keep_plan)
    await ada.until(FEBRUARY)
    assert await plan_of(ada) == "growth"


async def test_an_app_stays_on_the_version_it_is_on(world: World) -> None:
    ada = await customer(world)
    known = [
        Fact(uuid4(), uuid4(), ada.id, "plan", "", {"plan": "starter", "version": 1}, FEBRUARY, FEBRUARY, "x", None)
    ]
    held = in_force(known, MARCH, load_catalog())
    assert held is not None
    assert (held.plan.version, held.price) == (1, 9_900)
    assert in_force(known, FEBRUARY - timedelta(days=1), load_catalog()) is None


async def test_who_asks_for_the_same_plan_twice_at_once_has_it_once(world: World, second: World) -> None:
    ada = await customer(world)

    async def ask(where: World) -> None:
        async with where.deps.change_as(ada.owner, None) as ctx:
            await change_plan(ctx, ada.id, "starter")

    await asyncio.gather(*(ask(where) for where in (world, second) for _ in range(5)))
    facts = [fact for fact in (await ada.spend()).facts if fact.kind == "plan"]
    assert [fact.value["plan"] for fact in facts] == ["free", "starter"]


async def test_enterprise_is_by_contract(world: World) -> None:
    ada = await customer(world)
    with pytest.raises(Forbidden, match="contract"):
        await as_owner(ada, change_plan, "enterprise")
    await as_operator(ada, change_plan, "enterprise", by_customer=False)
    await as_operator(ada, set_override, "price", 250_000, reason="Contract 17")
    await as_operator(ada, set_override, "messages.included", 10**9, reason="Contract 17")
    await as_operator(ada, set_override, "messages.overage", {"price": 100, "per": 10**6}, reason="Contract 17")
    spent = await ada.spend()
    assert (spent.terms.price, spent.terms.meters["messages"].over) == (250_000, "bill")
    assert spent.terms.overridden == ("messages.included", "messages.overage", "price")


async def test_an_override_reaches_nodes_and_goes_again(world: World) -> None:
    ada = await customer(world)
    await as_operator(ada, set_override, "mau.included", 5, reason="A pilot")
    await as_operator(ada, set_override, "feature.guests", False, reason="Abuse")
    assert (await ada.over())["mau"] == (5, "stop", False)
    assert (await ada.snapshot()).features["guests"] is False
    await as_operator(ada, set_override, "mau.included", None, reason="The pilot is over")
    assert (await ada.over())["mau"] == (1_000, "stop", False)

    for path, value in [
        ("mau", 5), ("mau.included", -1), ("mau.included", True), ("likes.included", 5), ("feature.guests", 1),
        ("feature.x", True), ("mau.over", "block"), ("mau.overage", {"price": 1}), ("price", 1.5), ("price", "1"),
    ]:  # fmt: skip
        with pytest.raises(InvalidInput):
            await as_operator(ada, set_override, path, value, reason="x")
    with pytest.raises(InvalidInput, match="why"):
        await as_operator(ada, set_override, "mau.included", 5, reason=" ")
    # A page cannot, even if it forgot to ask.
    with pytest.raises(DBAPIError, match="customer"):
        await as_owner(ada, set_override, "mau.included", 5, reason="x")


async def test_addons_add_to_a_plan_that_has_a_price_and_go_at_the_periods_end(world: World) -> None:
    ada = await customer(world)
    with pytest.raises(Conflict):
        await as_owner(ada, set_addon, "mau_10k", 1)
    await as_owner(ada, change_plan, "starter")
    assert await as_owner(ada, set_addon, "mau_10k", 2) == world.clock.now()
    assert (await ada.over())["mau"][0] == 30_000
    assert await as_owner(ada, set_addon, "mau_10k", 1) == FEBRUARY
    assert (await ada.over())["mau"][0] == 30_000
    await ada.until(FEBRUARY)
    assert (await ada.over())["mau"][0] == 20_000
    for wrong in (-1, 101):
        with pytest.raises(InvalidInput):
            await as_owner(ada, set_addon, "mau_10k", wrong)


@pytest.mark.parametrize("ends", ["by itself", "kept", "given up", "bought"])
async def test_a_trial_costs_nothing_and_ends_one_way_or_another(world: World, ends: str) -> None:
    ada = await customer(world)
    until = await as_owner(ada, start_trial, "growth")
    assert until == world.clock.now() + timedelta(days=14)
    assert (await ada.over())["messages"] == (20_000_000, "stop", False)
    assert (await ada.spend()).amount == 0
    match ends:
        case "by itself":
            await ada.until(until)
            expected = ("free", 0)
        case "kept":
            await as_owner(ada, end_trial, keep=True)
            await ada.until(until - timedelta(seconds=1))
            assert (await ada.spend()).terms.price == 0
            await ada.until(until)
            expected = ("growth", prorate(39_900, until, FEBRUARY, month_bounds("2026-01")))
        case "given up":
            await as_owner(ada, end_trial, keep=False)
            expected = ("free", 0)
        case _:
            await as_owner(ada, change_plan, "starter")
            expected = ("starter", prorate(9_900, world.clock.now(), FEBRUARY, month_bounds("2026-01")))
    found = await ada.spend()
    assert (found.terms.plan.id, found.amount) == expected
    assert found.terms.trial_ends_at is None
    await ada.until(FEBRUARY + timedelta(days=3))
    assert await plan_of(ada) == expected[0]
    with pytest.raises(TrialUsed):
        await as_operator(ada, change_plan, "free", at_once=True)
        await as_owner(ada, start_trial, "starter")


async def test_of_trials_at_the_same_moment_one_begins(world: World, second: World) -> None:
    ada = await customer(world)
    other = (await world.app(ada.owner, "Other")).app

    async def begin(where: World, app_id: Any) -> bool:
        try:
            async with where.deps.change_as(ada.owner, None) as ctx:
                await start_trial(ctx, app_id, "growth")
        except (TrialUsed, InvalidInput):
            return False
        return True

    begun = await asyncio.gather(*(begin(where, app) for where in (world, second) for app in (ada.id, other.id) * 3))
    assert sum(begun) == 1


async def test_a_trial_is_for_organizations_with_a_proven_address_and_of_a_larger_plan(world: World) -> None:
    tenant = await world.tenant()
    ada = await customer(world, "bob@example.com", "Bobs")
    async with world.change() as ctx:
        from tests.control_plane.fixtures import app_uuid

        with pytest.raises(Forbidden, match="confirmed"):
            await start_trial(ctx, app_uuid(tenant), "growth")
    for plan in ("free", "enterprise"):
        with pytest.raises(InvalidInput):
            await as_owner(ada, start_trial, plan)
    with pytest.raises(Conflict):
        await as_owner(ada, end_trial, keep=True)


async def test_what_was_agreed_cannot_be_rewritten(world: World) -> None:
    ada = await customer(world)
    await as_owner(ada, change_plan, "growth")
    for statement in (
        "update control.terms set value = '{}'",
        "update control.terms set cancelled_at = created_at + interval '1 second'",
        "delete from control.terms",
    ):
        with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
            async with world.deps.database.unit_of_work() as uow:
                await uow.session.execute(text(statement))
    async with world.deps.change(Actor("operator:test")) as ctx:
        assert (await ctx.session.execute(text("select count(*) from control.terms"))).scalar_one() == 2


@given(
    st.lists(st.tuples(st.integers(0, 31 * 720), st.sampled_from(["free", "starter", "growth"])), max_size=5),
    st.sampled_from(["2026-01", "2024-02", "2023-02", "2026-04"]),
)
def test_a_months_plan_lines_cover_it_without_gap_and_cost_no_more_than_the_dearest(
    changes: list[tuple[int, str]], month: str
) -> None:
    begin, end = month_bounds(month)
    app = uuid4()
    moments = [(begin, "free"), *((begin + timedelta(minutes=2 * step), plan) for step, plan in sorted(changes))]
    known = [
        Fact(uuid4(), app, app, "plan", "", {"plan": plan, "version": 1}, at, at, "x", None) for at, plan in moments
    ]
    lines = [line for line in charges(app, known, month, {}, load_catalog()) if line.kind == "plan"]
    assert lines[0].begin == begin
    assert lines[-1].end == end
    assert all(a.end == b.begin for a, b in itertools.pairwise(lines))
    dearest = max((load_catalog().newest(plan).price or 0) for at, plan in moments if at < end)
    assert sum(line.amount for line in lines) <= dearest + len(lines)
