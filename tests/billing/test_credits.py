"""Credits: whatever is granted is drawn, expires or is there, and nothing is ever below zero."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.coupons import CouponUsed, redeem, redeemed
from billing.credits import balances, debit, expire, grant_credit
from kernel.errors import InvalidInput, NotFound
from tests.billing.customers import Customer, customer
from tests.control_plane.fixtures import World


async def granted(one: Customer, amount: int, *, days: int | None = None, priority: int = 0) -> UUID:
    async with one.world.change() as ctx:
        expires = ctx.now + timedelta(days=days) if days is not None else None
        return await grant_credit(
            ctx, one.owner.organization_id, amount, reason="Sorry", expires_at=expires, priority=priority
        )


async def take(world: World, organization_id: UUID, amount: int) -> int:
    async with world.deps.database.unit_of_work() as uow:
        taken = await debit(uow.session, organization_id, amount, invoice_id=uuid4(), now=world.clock.now())
        return sum(used for _, used in taken)


async def sums(world: World) -> dict[str, int]:
    async with world.deps.database.unit_of_work() as uow:
        rows = await uow.session.execute(
            text("select kind, sum(amount)::bigint as amount from control.credit_entries group by 1")
        )
        return {row.kind: row.amount for row in rows}


async def left(one: Customer) -> int:
    async with one.world.deps.read(one.owner) as uow:
        now = one.world.clock.now()
        return sum(credit.balance for credit in await balances(uow.session, one.owner.organization_id, now=now))


async def test_fifty_debits_at_once_take_what_is_there_and_no_more(world: World, second: World) -> None:
    ada = await customer(world)
    for amount in (300, 250, 150):
        await granted(ada, amount)
    organization = ada.owner.organization_id

    taken = await asyncio.gather(*(take((world, second)[n % 2], organization, 20) for n in range(50)))

    assert sum(taken) == 700
    assert await left(ada) == 0
    assert await sums(world) == {"grant": 700, "debit": -700}


async def test_grants_debits_and_expiries_make_the_balance(world: World) -> None:
    ada = await customer(world)
    await granted(ada, 100, days=10)
    await granted(ada, 200)
    await granted(ada, 50, priority=-1)
    organization = ada.owner.organization_id
    assert await take(world, organization, 120) == 120
    # By priority first, then what expires first: 50 and 70 of the 100.
    async with world.deps.read(ada.owner) as uow:
        assert [c.balance for c in await balances(uow.session, organization, now=world.clock.now())] == [30, 200]
    world.clock.advance(timedelta(days=10))
    assert await left(ada) == 200, "what has expired cannot be drawn on, also before it is written off"
    async with world.deps.database.unit_of_work() as uow:
        assert await expire(uow.session, organization, now=world.clock.now()) == 30
        assert await expire(uow.session, organization, now=world.clock.now()) == 0
    assert await sums(world) == {"grant": 350, "debit": -120, "expiry": -30}
    assert await left(ada) == sum((await sums(world)).values())
    assert await take(world, organization, 1_000) == 200


async def test_the_database_refuses_a_balance_below_zero_and_a_second_entry_after_the_same(world: World) -> None:
    ada = await customer(world)
    grant = await granted(ada, 10)
    for seq, amount, balance in ((1, -11, -1), (0, 10, 10)):
        with pytest.raises(DBAPIError, match=r"balance|duplicate"):
            async with world.deps.database.unit_of_work() as uow:
                await uow.session.execute(
                    text(
                        "insert into control.credit_entries values "
                        "(:id, :seq, :org, :kind, :amount, :balance, now(), :invoice)"
                    ),
                    {
                        "id": grant, "seq": seq, "org": ada.owner.organization_id, "amount": amount, "balance": balance,
                        "kind": "debit" if seq else "grant", "invoice": uuid4() if seq else None,
                    },
                )  # fmt: skip
    with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
        async with world.deps.database.unit_of_work() as uow:
            await uow.session.execute(text("update control.credit_entries set balance = 99"))


async def test_a_wrong_grant_is_named(world: World) -> None:
    ada = await customer(world)
    async with world.change() as ctx:
        for amount, reason in ((0, "x"), (-1, "x"), (5, " ")):
            with pytest.raises(InvalidInput):
                await grant_credit(ctx, ada.owner.organization_id, amount, reason=reason)
        with pytest.raises(InvalidInput):
            await grant_credit(ctx, ada.owner.organization_id, 5, reason="x", expires_at=ctx.now)
        with pytest.raises(NotFound):
            await grant_credit(ctx, uuid4(), 5, reason="x")


async def test_a_coupon_is_redeemed_once_and_counts_for_its_months(world: World, second: World) -> None:
    ada = await customer(world)
    organization = ada.owner.organization_id

    async def try_it(where: World) -> bool:
        try:
            async with where.deps.change_as(ada.owner, None) as ctx:
                await redeem(ctx, organization, " welcome50 ")
        except CouponUsed:
            return False
        return True

    assert sum(await asyncio.gather(*(try_it((world, second)[n % 2]) for n in range(10)))) == 1
    async with world.deps.read(ada.owner) as uow:
        [one] = await redeemed(uow.session, organization, cut=world.clock.now())
    assert (one.first_month, one.last_month) == ("2026-01", "2026-03")
    assert [one.covers(month) for month in ("2025-12", "2026-01", "2026-03", "2026-04")] == [False, True, True, False]
    with pytest.raises(InvalidInput):
        async with world.deps.change_as(ada.owner, None) as ctx:
            await redeem(ctx, organization, "NOPE")
