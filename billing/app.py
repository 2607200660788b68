"""The management application: the control plane, and billing on top of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.types import ControllerRouterHandler, ExceptionHandler

from billing.plans import load_catalog
from billing.provider import Provider, provider_of
from billing.provider.stripe.metrics import StripeMetrics
from billing.provider.stripe.routes import receive_stripe_event
from billing.tenants import last_invoice_made
from billing.usage.ingest import IngestMetrics
from billing.usage.quota import QuotaKeeper
from billing.usage.routes import report_usage
from control_plane import app as control_plane
from control_plane.context import Deps
from kernel.http.problems import render_problem

__all__ = ["Deps", "create_app"]


def create_app(
    deps: Deps,
    *,
    routes: Sequence[ControllerRouterHandler] = (),
    dependencies: Mapping[str, Provide] | None = None,
    render_error: "ExceptionHandler[Any]" = render_problem,
) -> Litestar:
    """Billing on the control plane, and what the portal adds. Raises `PlanFileError` before it serves anything.

    `app.state.drain()` ends long polls; call it when the process is told to stop.
    """
    load_catalog()
    keeper, provider = QuotaKeeper(deps), provider_of(deps)
    metrics = IngestMetrics(deps.registry)

    @asynccontextmanager
    async def keeping(_: Litestar) -> AsyncIterator[None]:
        async with keeper.running():
            yield

    @asynccontextmanager
    async def counting(_: Litestar) -> AsyncIterator[None]:
        if deps.settings.billing != "stripe":
            yield
            return
        async with StripeMetrics(deps.registry).running(deps):
            yield

    async def provide_keeper() -> QuotaKeeper:
        return keeper

    async def provide_metrics() -> IngestMetrics:
        return metrics

    async def provide_provider() -> Provider:
        return provider

    return control_plane.create_app(
        deps,
        routes=[report_usage, receive_stripe_event, *routes],
        dependencies={
            "quota_keeper": Provide(provide_keeper),
            "ingest_metrics": Provide(provide_metrics),
            "billing_provider": Provide(provide_provider),
            **(dependencies or {}),
        },
        lifespan=[keeping, counting],
        may_erase=last_invoice_made,
        render_error=render_error,
    )
