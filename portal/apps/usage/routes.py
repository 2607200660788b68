"""`/apps/{app_id}/usage`."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter

from billing.plans import load_catalog
from billing.terms import in_force, load
from billing.usage.report import month_report, months_with_usage
from control_plane.entitlements import METERS
from kernel.clock import month_of
from kernel.errors import NotFound
from portal.apps.usage.units import amount, share, size
from portal.apps.usage.view import first_of_next_month, neighbours, view_of
from portal.apps.usage.words import beyond, over_words, soon_words
from portal.http.page import page
from portal.http.scope import AppScopeDependency, VisitDependency


@get("/apps/{app_id:str}/usage")
async def show_usage(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    app_scope: AppScopeDependency,
    month: Annotated[str, QueryParameter()] = "",
) -> Response[str]:
    """A month by meter, against the limits of the app's plan. Months without any usage are there up to the first."""
    member, app, deps = app_scope.member, app_scope.app, visit.deps
    member.require("usage.read")
    now = deps.clock.now()
    async with deps.read(member) as uow:
        months = await months_with_usage(uow.session, app, now=now)
        if month and month not in months:
            raise NotFound()
        report = await month_report(uow.session, app, month or month_of(now), now=now)
        held = in_force(await load(uow.session, app.id), now, load_catalog())
    plan = load_catalog().get(app.plan, app.plan_version)
    before, after = neighbours(report.month, months)
    return page(
        request,
        "apps/usage/page.html",
        scope=app_scope,
        report=report,
        meters=[view_of(meter, report) for meter in report.meters],
        plan=plan,
        terms=held.meters if held else {meter: plan.terms(meter) for meter in METERS},
        used=any(meter.total for meter in report.meters),
        before=before,
        after=after,
        next_month=first_of_next_month(report.end),
        amount=amount,
        share=share,
        size=size,
        beyond=beyond,
        over_words=over_words,
        soon_words=soon_words,
    )


ROUTES = [show_usage]
