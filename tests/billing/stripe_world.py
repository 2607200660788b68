"""A control plane whose payments go to the simulator: both clocks move together, and the worker's rounds are ours."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from billing.provider.port import ProviderAway
from billing.provider.stripe.provider import StripeProvider
from billing.provider.stripe.subscriptions import Seen, seen
from billing.provider.stripe.worker import StripeWorker
from control_plane.members import Member
from kernel.clock import ManualClock
from ops.stripe_sim.server import Options, Simulator
from tests.billing.customers import Customer, customer
from tests.control_plane.fixtures import World, make_deps
from tests.engines import TemporaryDatabase

KEY = "sk_test_simulated"
SECRET = "whsec_of_the_tests"
BACK = "https://chat.example.com/billing"
BEGIN = datetime(2026, 11, 10, 12, tzinfo=UTC)


class Paid:
    """An installation with Stripe, and one customer."""

    def __init__(self, world: World, simulator: Simulator) -> None:
        self.world = world
        self.sim = simulator
        self.provider = StripeProvider(world.deps)
        self.worker = StripeWorker(world.deps)
        self.ada: Customer
        self._synced = False

    @property
    def owner(self) -> Member:
        return self.ada.owner

    async def rounds(self) -> None:
        """The worker's rounds until nothing is left to do."""
        for _ in range(20):
            # Prices do not change within a test; events are listed below.
            rare = ["reconcile", "look", "list", *(["sync"] if self._synced else [])]
            self.worker._next = dict.fromkeys(rare, datetime.max.replace(tzinfo=UTC))
            self._synced = True
            done = await self.worker.step()
            assert self.worker.failed == {}
            if not done and not await self.worker.list_missed():
                return
        raise AssertionError("the worker does not come to rest")

    async def pass_time(self, delta: timedelta, *, step: timedelta | None = None) -> None:
        """Both clocks; with rounds and the keeper in between."""
        until = self.world.clock.now() + delta
        while self.world.clock.now() < until:
            jump = min(step or delta, until - self.world.clock.now())
            self.world.clock.advance(jump)
            self.sim.advance_to(int(self.world.clock.now().timestamp()))
            await self.ada.keeper.step()
            await self.ada.close()
            try:
                await self.rounds()
            except ProviderAway:
                continue

    async def until(self, moment: datetime, *, step: timedelta | None = None) -> None:
        await self.pass_time(moment - self.world.clock.now(), step=step)

    async def month_end(self, first: datetime) -> None:
        """A month is over, its invoice held, closed, final and tried."""
        await self.until(first + timedelta(minutes=30))
        await self.pass_time(timedelta(hours=2), step=timedelta(hours=1))

    async def buy(self, plan: str = "growth", *, app: UUID | None = None, card: str = "4242424242424242") -> None:
        """Choose a plan and pay for it."""
        await self.provider.checkout(self.owner, app or self.ada.id, plan, return_url=BACK)
        self.pay(card)
        await self.rounds()

    def pay(self, card: str = "4242424242424242") -> None:
        """On the newest page that is open."""
        pages = [page for page in self.sim.sim.store.all("checkout.session") if page["status"] == "open"]
        self.sim.complete_checkout(pages[-1]["id"], card)

    async def seen(self, app: UUID | None = None) -> Seen:
        async with self.world.deps.database.unit_of_work(read_only=True) as uow:
            found = await seen(uow.session, app or self.ada.id)
        assert found is not None
        return found

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        async with self.world.deps.database.unit_of_work(read_only=True) as uow:
            return list((await uow.session.execute(text(sql), values)).all())

    async def plan(self, app: UUID | None = None) -> str:
        """What nodes are told, as `growth@1`."""
        [row] = await self.rows("select plan, plan_version from control.apps where id = :app", app=app or self.ada.id)
        return f"{row.plan}@{row.plan_version}"

    async def differences(self) -> list[Any]:
        return [check for check in await self.worker.reconcile() if not check.agrees]


@asynccontextmanager
async def paid(database: TemporaryDatabase, *, begin: datetime = BEGIN) -> AsyncIterator[Paid]:
    """One on a database of its own."""
    clock = ManualClock(begin)
    async with Simulator(Options(key=KEY, seed="tests", frozen_at=int(begin.timestamp()))) as simulator:
        deps = make_deps(database.url, clock)
        settings = dataclasses.replace(
            deps.settings,
            billing="stripe",
            stripe_secret_key=KEY,
            stripe_webhook_secrets=SECRET,
            stripe_api_url=simulator.url,
        )
        world = World(dataclasses.replace(deps, settings=settings), clock, database.superuser_url)
        found = Paid(world, simulator)
        found.ada = await customer(world)
        try:
            yield found
        finally:
            await found.worker.close()
            await found.provider.close()
            await deps.close()
