"""A payment service for an installation that runs: the simulator, and a management server of its own that is paid
through it. Both have clocks that a test moves; the installation's nodes and worker go on in real time, and know of it
by the database that they share."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from billing.alerts import AlertJobs
from billing.dunning import DunningJobs, DunningKeeper
from billing.invoices.closing import Closer
from billing.provider.stripe.worker import StripeWorker
from control_plane.context import Deps
from kernel.clock import ManualClock
from kernel.db import Database
from kernel.metrics import CollectorRegistry
from kernel.outbox import OutboxRunner
from ops.stripe_sim.server import Options, Simulator
from tests.portal.harness import Portal, serve

MOMENT = timedelta(seconds=61)
"""Longer than what the worker waits between two looks at something."""


@dataclasses.dataclass
class Till:
    """The parts."""

    portal: Portal
    simulator: Simulator
    worker: StripeWorker

    async def round(self) -> None:
        """What the workers do within a minute."""
        deps = self.portal.deps
        self.portal.clock.advance(MOMENT)
        self.simulator.advance(round(MOMENT.total_seconds()))
        await self.simulator.settled()
        await self.worker.step()
        await Closer(deps).step()
        await DunningKeeper(deps).step()
        handlers = {**AlertJobs(deps).handlers(), **DunningJobs(deps).handlers(), **self.worker.handlers()}
        runner = OutboxRunner(deps.database, "control", handlers, deps.clock)
        for row_id in await runner.take_due():
            await runner.run(row_id)

    async def until(self, table: str, app_id: UUID, wanted: str, *, column: str = "state") -> None:
        """Let minutes pass until an app's row of a table says so."""
        query = text(f"select {column} from control.{table} where app_id = :app")
        for _ in range(40):
            await self.round()
            async with self.portal.deps.database.unit_of_work(read_only=True) as uow:
                found = await uow.session.scalar(query, {"app": app_id})
            if found == wanted:
                return
        raise AssertionError(f"{table}: {found} and not {wanted} within forty minutes; {await self._told()}")

    async def _told(self) -> str:
        """How things stand between us and the payment service."""
        said = []
        for query in (
            "select status, reason, due from control.stripe_invoices",
            "select kind, subject, state, last_error from control.stripe_commands",
            "select meter, quantity, state, last_error from control.stripe_meter_events",
            "select type, state, last_error from control.stripe_events where state <> 'done'",
            "select month, cut from control.billing_months",
        ):
            async with self.portal.deps.database.unit_of_work(read_only=True) as uow:
                said += [str(tuple(row)) for row in await uow.session.execute(text(query))]
        return "\n".join([f"{self.portal.clock.now()}", *said])

    def move(self, by: timedelta) -> None:
        """Let days pass in which nobody works."""
        self.portal.clock.advance(by)
        self.simulator.advance(round(by.total_seconds()))


@asynccontextmanager
async def open_till(deps: Deps, port: int) -> AsyncIterator[Till]:
    """`deps` are the installation's; the management server is served on `port`."""
    now, url = datetime.now(UTC).replace(microsecond=0), f"http://127.0.0.1:{port}"
    options = Options(
        key="sk_test_walk",
        frozen_at=round(now.timestamp()),
        webhook=f"{url}/webhooks/stripe",
        signing_secret="whsec_walk",
    )
    async with Simulator(options) as simulator:
        simulator.change(lambda sim: sim.settings.update(sign_with="clock"))
        settings = dataclasses.replace(
            deps.settings,
            billing="stripe",
            stripe_secret_key="sk_test_walk",
            stripe_webhook_secrets="whsec_walk",
            stripe_api_url=simulator.url,
            portal_url=url,
            control_port=port,
        )
        own = dataclasses.replace(
            deps,
            settings=settings,
            clock=ManualClock(now),
            registry=CollectorRegistry(),
            database=Database(settings.database_url, role="natter_control", pool_size=3),
            portal_database=Database(settings.database_url, role="natter_portal", pool_size=3),
        )
        worker = StripeWorker(dataclasses.replace(own, registry=CollectorRegistry()))
        await worker.step()  # Stripe is told the prices before anybody may ask for them
        async with serve(own, settings.database_url) as portal:
            yield Till(portal, simulator, worker)
        await worker.close()
