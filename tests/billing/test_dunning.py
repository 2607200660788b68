"""An unpaid bill takes an app down the ladder by the clock, and a payment takes it back at once."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.dunning import DunningKeeper, Lengths, observe, standing
from billing.dunning.ladder import HOLDS, moments
from billing.tenants import close_tenant, end_app, restore_tenant
from billing.usage.quota import QuotaKeeper
from control_plane.apps.holds import effective
from control_plane.apps.service import resume_app, suspend_app
from tests.billing.customers import Customer, customer
from tests.control_plane.fixtures import World

DAY = timedelta(days=1)
BEGAN = datetime(2026, 1, 10, 12, tzinfo=UTC)
LADDER = ["active", "past_due", "read_only", "suspended", "export", "erased"]

spans = st.timedeltas(min_value=timedelta(0), max_value=30 * DAY)
lengths_of_any_kind = st.builds(Lengths, spans, spans, spans, st.timedeltas(min_value=DAY, max_value=30 * DAY))


@given(lengths=lengths_of_any_kind, after=st.timedeltas(timedelta(0), 200 * DAY), seen=spans)
def test_the_state_is_a_function_of_time_that_only_goes_down_and_says_when(
    lengths: Lengths, after: timedelta, seen: timedelta
) -> None:
    now = BEGAN + after
    found = standing(BEGAN, now, lengths)
    assert standing(None, now, lengths) == ("active", None)
    assert found.state not in ("active", "erased"), "nobody is erased who was not told"
    assert found.moves_at is not None and found.moves_at > now
    just_before = standing(BEGAN, found.moves_at - timedelta(microseconds=1), lengths)
    if found.state != "export":
        assert just_before.state == found.state
        following = standing(BEGAN, found.moves_at, lengths)
        assert LADDER.index(following.state) > LADDER.index(found.state)
    else:
        # The window is had in full from when it was seen to begin, and until the ladder's own end.
        export_since = now - min(seen, after)
        told = standing(BEGAN, now, lengths, export_since=export_since)
        end = max(moments(BEGAN, lengths).erased, export_since + lengths.export)
        assert told == (("export", end) if now < end else ("erased", None))


def test_the_strictest_reason_counts_whatever_the_others_say() -> None:
    for hold in (None, "read_only", "suspended", "export"):
        for closed in (False, True):
            for status in ("active", "suspended", "deleted"):
                got, access = effective(status, hold, closed=closed)
                assert got == (
                    "suspended" if status == "active" and (closed or hold in ("suspended", "export")) else status
                )
                assert (access == "export") == (status == "active" and not closed and hold == "export")
                assert (access == "read_only") == (status == "active" and not closed and hold == "read_only")


async def say(one: Customer, unpaid_since: datetime | None) -> str:
    async with one.world.change() as ctx:
        return await observe(ctx, one.id, unpaid_since)


async def at(one: Customer, moment: datetime) -> tuple[str, str]:
    """Let time pass until then, the worker's step included; what nodes have."""
    one.world.clock.advance(moment - one.world.clock.now())
    await DunningKeeper(one.world.deps).step()
    return await served(one)


async def served(one: Customer) -> tuple[str, str]:
    found = await one.snapshot()
    return found.status, found.access


async def mailed(one: Customer) -> list[str]:
    """The oldest first."""
    await one.run_jobs()
    letters = await one.world.letters(one.owner.email)
    return [letter.subject for letter in letters[::-1] if letter.kind == "dunning_notice"]


SUBJECTS = {
    "past_due": "A payment for Chat is overdue",
    "read_only": "Chat is read-only",
    "suspended": "Chat is suspended",
    "export": "Chat is erased soon: fetch its data, or pay",
    "erased": "Chat was erased",
    "active": "Chat is paid for again",
}


async def test_each_step_comes_at_its_moment_is_told_once_and_a_payment_takes_all_of_it_back(
    world: World, second: World
) -> None:
    ada = await customer(world)
    began = world.clock.now()
    steps = [
        ("past_due", 0, ("active", "full")),
        ("read_only", 14, ("active", "read_only")),
        ("suspended", 28, ("suspended", "full")),
        ("export", 44, ("suspended", "export")),
    ]
    told: list[str] = []
    for last in range(len(steps)):
        for state, days, wanted in steps[: last + 1]:
            if days:
                assert await at(ada, began + days * DAY - timedelta(seconds=1)) != wanted
                world.clock.advance(timedelta(seconds=1))
                # Many processes, each of them twice.
                await asyncio.gather(*(DunningKeeper(each.deps).step() for each in (world, second) for _ in range(2)))
            assert await say(ada, began) == state, "saying the same again changes nothing"
            assert await served(ada) == wanted
            told.append(SUBJECTS[state])
            assert await mailed(ada) == told
        version = (await ada.snapshot()).version
        assert await say(ada, None) == "active"
        assert await served(ada) == ("active", "full")
        assert ((await ada.snapshot()).version > version) == (last > 0), "nodes hear of it at once"
        told.append(SUBJECTS["active"])
        assert await mailed(ada) == told
        began = world.clock.now()

    assert await say(ada, None) == "active"
    assert await mailed(ada) == told


async def test_what_is_erased_was_announced_for_the_whole_window_and_never_comes_back(world: World) -> None:
    ada = await customer(world)
    now = world.clock.now()
    # A year-old debt that nobody had heard of.
    assert await say(ada, now - 365 * DAY) == "export"
    assert await at(ada, now + 14 * DAY - timedelta(seconds=1)) == ("suspended", "export")
    async with world.deps.database.unit_of_work() as uow:
        assert await uow.session.scalar(text("select count(*) from control.api_keys")) > 0
    assert await at(ada, now + 14 * DAY) == ("deleted", "full")
    assert await mailed(ada) == [SUBJECTS["export"], SUBJECTS["erased"]]
    for wish in (None, now, world.clock.now()):
        assert await say(ada, wish) == "erased"
    assert (await ada.snapshot()).status == "deleted"
    assert not (await ada.snapshot()).secret_keys
    async with world.deps.database.unit_of_work() as uow:
        rows = await uow.session.execute(
            text("select action from control.audit_entries where action like 'app.%unpaid'")
        )
        assert list(rows.scalars()) == ["app.erased_unpaid"]
    await QuotaKeeper(world.deps).step()
    async with world.deps.database.unit_of_work() as uow:
        assert await uow.session.scalar(text("select count(*) from control.entitlements")) == 0


async def test_any_order_of_what_is_said_ends_in_what_was_said_last(world: World, second: World) -> None:
    ada = await customer(world)
    draw = random.Random(8)
    start = world.clock.now()
    for _ in range(12):
        since = draw.choice([None, start - draw.randrange(40) * DAY, start - draw.randrange(10) * DAY])
        where = draw.choice([world, second])
        async with where.change() as ctx:
            found = await observe(ctx, ada.id, since)
        if draw.random() < 0.5:
            await DunningKeeper(second.deps).step()
        days = None if since is None else (world.clock.now() - since) // DAY
        wanted = "active" if days is None else next(s for s, d in _REVERSED if days >= d)
        assert found == wanted
        async with world.deps.database.unit_of_work() as uow:
            row = (await uow.session.execute(text("select state, unpaid_since, hold from control.dunning "
                                                  "join control.apps on id = app_id"))).one_or_none()  # fmt: skip
        assert row is None if since is None and row is None else tuple(row) == (wanted, since, HOLDS[wanted])  # type: ignore[index, arg-type]
        world.clock.advance(draw.randrange(3) * DAY // 2)


_REVERSED = [("suspended", 28), ("read_only", 14), ("past_due", 0)]


async def test_nothing_lifts_what_another_reason_holds(world: World) -> None:
    ada = await customer(world)
    now = world.clock.now()
    assert await say(ada, now - 20 * DAY) == "read_only"

    async with world.change() as ctx:
        await suspend_app(ctx, ada.id, reason="abuse")
    assert await served(ada) == ("suspended", "full")
    assert await say(ada, None) == "active"
    assert await served(ada) == ("suspended", "full")
    assert await say(ada, now - 20 * DAY) == "read_only"
    async with world.change() as ctx:
        await resume_app(ctx, ada.id)
    assert await served(ada) == ("active", "read_only")

    async with world.deps.change_as(ada.owner, None) as ctx:
        await close_tenant(ctx, ada.owner)
    assert await served(ada) == ("suspended", "full")
    await say(ada, None)
    await say(ada, now - 30 * DAY)
    assert await served(ada) == ("suspended", "full")
    async with world.deps.change_as(ada.owner, None) as ctx:
        await restore_tenant(ctx, ada.owner)
    assert await served(ada) == ("suspended", "full"), "of billing's own"
    await say(ada, None)
    assert await served(ada) == ("active", "full")

    # Beside a limit that stops: neither opens what the other shuts.
    await ada.use("messages", 200_000)
    await say(ada, now - 20 * DAY)
    found = await ada.snapshot()
    assert (found.access, {q.meter: q.exceeded for q in found.quotas}["messages"]) == ("read_only", True)
    await say(ada, None)
    assert (await ada.over())["messages"][2]


async def test_pages_see_where_their_own_apps_stand_and_cannot_move_them(world: World) -> None:
    ada, eve = await customer(world), await customer(world, "eve@example.com", "Others")
    await say(ada, world.clock.now() - 20 * DAY)
    for one, count in ((ada, 1), (eve, 0)):
        async with world.deps.read(one.owner) as uow:
            assert await uow.session.scalar(text("select count(*) from control.dunning")) == count
    for statement in ("update control.dunning set state = 'active'", "update control.apps set hold = null"):
        with pytest.raises(Exception, match="permission denied"):
            async with world.deps.change_as(ada.owner, None) as ctx:
                await ctx.session.execute(text(statement))


async def test_a_deleted_app_is_left_alone(world: World) -> None:
    ada = await customer(world)
    await say(ada, world.clock.now())
    async with world.deps.change_as(ada.owner, None) as ctx:
        await end_app(ctx, ada.id, confirm="Chat")
    assert await at(ada, world.clock.now() + 100 * DAY) == ("deleted", "full")
    assert await say(ada, world.clock.now()) == "erased"
    assert await mailed(ada) == [SUBJECTS["past_due"]]
