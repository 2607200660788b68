"""What is under way between Stripe and us, as numbers for whoever watches the control plane."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import text

from billing.provider.stripe.memory import away_since
from control_plane.context import Deps
from kernel.logging import get_logger

PERIOD: Final = 15.0

_ROWS = text(
    """
    select 'events pending' as what, count(*) as n from control.stripe_events where state = 'pending'
    union all select 'events dead', count(*) from control.stripe_events where state = 'dead'
    union all select 'commands pending', count(*) from control.stripe_commands where state = 'pending'
    union all select 'usage waiting', count(*) from control.stripe_meter_events where state in ('pending', 'sent')
    union all select 'usage unresolved', count(*) from control.stripe_meter_events where state = 'unresolved'
    """
)
_DIFFERENCES = text("select count(*) from control.stripe_differences where resolved_at is null")

_log = get_logger(__name__)


class StripeMetrics:
    """Read from the tables, so that any process can show them; the control plane's does."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rows = Gauge(
            "natter_stripe_rows",
            "Rows between Stripe and us: events, commands and usage that wait, usage to be looked up, dead letters.",
            ["what"],
            registry=registry,
        )
        self.differences = Gauge(
            "natter_stripe_differences",
            "Places where the ledger, Stripe's meters and an invoice say different things. Anything but 0 is an alert.",
            registry=registry,
        )
        self.away = Gauge("natter_stripe_away", "1 while Stripe does not answer.", registry=registry)

    async def read(self, deps: Deps) -> None:
        """Take the numbers of now."""
        async with deps.database.unit_of_work(read_only=True) as uow:
            for row in await uow.session.execute(_ROWS):
                self.rows.labels(row.what).set(row.n)
            self.differences.set(await uow.session.scalar(_DIFFERENCES) or 0)
            self.away.set(await away_since(uow.session) is not None)

    @contextlib.asynccontextmanager
    async def running(self, deps: Deps) -> AsyncIterator[None]:
        """Read every 15 seconds while the block runs."""

        async def keep() -> None:
            while True:
                try:
                    await self.read(deps)
                except Exception:
                    _log.exception("stripe.metrics_failed")
                await asyncio.sleep(PERIOD)

        task = asyncio.create_task(keep(), name="stripe-metrics")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
