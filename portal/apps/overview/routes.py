"""`/apps/{app_id}`."""

from typing import Any

from litestar import Request, Response, get

from billing.dunning import unpaid_app
from billing.plans import load_catalog
from billing.usage.report import month_report, months_with_usage
from billing.usage.spend import spend
from control_plane.keys.reads import list_api_keys
from kernel.clock import month_of
from portal.apps.location import addresses, works
from portal.apps.usage.units import amount, share, size
from portal.apps.usage.view import view_of
from portal.apps.usage.words import budget_words, over_words
from portal.billing.paying import ProviderDependency, bill_of
from portal.http.page import page
from portal.http.scope import AppScopeDependency, VisitDependency


@get("/apps/{app_id:str}")
async def show_overview(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    app_scope: AppScopeDependency,
    provider: ProviderDependency,
) -> Response[str]:
    """Where the app is served, its keys, how it stands this month, and what to do first."""
    member, app, deps = app_scope.member, app_scope.app, visit.deps
    member.require("apps.read")
    now = deps.clock.now()
    async with deps.read(member) as uow:
        served = await addresses(uow.session, deps.settings, app, now=now)
        keys = [key for key in await list_api_keys(uow.session, app, now=now) if works(key)]
        report = await month_report(uow.session, app, month_of(now), now=now) if member.may("usage.read") else None
        months = await months_with_usage(uow.session, app, now=now)
        cost = await spend(uow.session, app.id, now=now) if member.may("usage.read") else None
        unpaid = await unpaid_app(uow.session, app.id)
    return page(
        request,
        "apps/overview/page.html",
        scope=app_scope,
        served=served,
        unpaid=unpaid,
        pay=await bill_of(provider, member, unpaid),
        publishable=[key for key in keys if key.kind == "publishable"],
        secret=[key for key in keys if key.kind == "secret"],
        report=report,
        meters=[view_of(meter, report) for meter in report.meters if meter.measured] if report else [],
        first_steps=report is not None and len(months) == 1 and not report.meter("messages").total,
        amount=amount,
        share=share,
        size=size,
        over_words=over_words,
        budget=budget_words(cost) if cost is not None and cost.budget_spent else None,
        plan=load_catalog().get(app.plan, app.plan_version),
    )


ROUTES = [show_overview]
