"""A customer of the tests: an owner with an app, time that passes, and invoices as workers make them."""

from datetime import datetime, timedelta
from uuid import UUID

from billing.alerts.letters import AlertJobs
from billing.dunning import DunningJobs
from billing.invoices.closing import Closer
from billing.invoices.document import Document
from billing.invoices.reads import Invoice, list_invoices, preview
from billing.usage.quota import QuotaKeeper
from billing.usage.spend import Spend, spend
from control_plane.apps.models import App
from control_plane.credentials.models import Credential
from control_plane.members import Member
from control_plane.snapshots.builder import build_page
from kernel.contracts import AppSnapshot, Meter
from kernel.outbox import OutboxRunner
from tests.billing.reports import report, reporter, row
from tests.control_plane.fixtures import World


class Customer:
    """Made by `customer`."""

    def __init__(self, world: World, owner: Member, app: App, relay: Credential) -> None:
        self.world = world
        self.owner = owner
        self.app = app
        self.relay = relay
        self.keeper = QuotaKeeper(world.deps)
        self._seq = 0

    @property
    def id(self) -> UUID:
        return self.app.id

    async def use(self, meter: Meter, quantity: int, at: datetime | None = None, subject: int | None = None) -> None:
        """Report one row, and let the keeper look."""
        self._seq += 1
        one = row(self._seq, self.app.public_id, meter, at or self.world.clock.now(), quantity, subject)
        assert await report(self.world.deps, self.relay, [one]) == 1
        await self.keeper.step()

    async def until(self, moment: datetime) -> None:
        """Let time pass; the keeper looks."""
        self.world.clock.advance(moment - self.world.clock.now())
        await self.keeper.step()

    async def snapshot(self) -> AppSnapshot:
        """What nodes know of the app."""
        async with self.world.deps.database.unit_of_work() as uow:
            page = await build_page(
                uow.session, self.world.deps.vault, shard=self.app.shard, since=0, now=self.world.clock.now()
            )
        return next(app for app in page.apps if app.app_id == self.app.public_id)

    async def over(self) -> dict[str, tuple[int | None, str, bool]]:
        """By meter: the limit, what happens beyond it, whether it is reached."""
        return {quota.meter: (quota.limit, quota.over, quota.exceeded) for quota in (await self.snapshot()).quotas}

    async def spend(self) -> Spend:
        async with self.world.deps.read(self.owner) as uow:
            found = await spend(uow.session, self.id, now=self.world.clock.now())
        assert found is not None
        return found

    async def preview(self) -> Document:
        async with self.world.deps.read(self.owner) as uow:
            return await preview(uow.session, self.owner, now=self.world.clock.now())

    async def close(self) -> int:
        return await Closer(self.world.deps).step()

    async def invoices(self) -> list[Invoice]:
        """The oldest first."""
        async with self.world.deps.read(self.owner) as uow:
            return (await list_invoices(uow.session, self.owner)).items[::-1]

    async def run_jobs(self) -> None:
        """What the worker does with the control plane's outbox, until nothing is due."""
        deps = self.world.deps
        handlers = {**AlertJobs(deps).handlers(), **DunningJobs(deps).handlers()}
        runner = OutboxRunner(deps.database, "control", handlers, deps.clock)
        while ids := await runner.take_due():
            for row_id in ids:
                assert await runner.run(row_id)

    async def alerts_mailed(self) -> list[str]:
        """The subjects of alert letters to the owner, the newest first."""
        return [letter.subject for letter in await self.world.letters(self.owner.email) if letter.kind == "usage_alert"]


async def customer(world: World, email: str = "ada@example.com", organization: str = "Analytical") -> Customer:
    """An owner whose address is proven, with an app on the free plan and a relay that reports its usage."""
    owner = await world.owner(email, organization)
    app = (await world.app(owner)).app
    return Customer(world, owner, app, await reporter(world, "relay", f"r-{email.partition('@')[0]}", app.shard))


HOUR = timedelta(hours=1)
