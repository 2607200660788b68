"""Tenants as they begin: on the newest free plan."""

from uuid import UUID

from billing.plans import load_catalog
from billing.terms.facts import Agreement, load
from control_plane.apps.models import App
from control_plane.apps.repository import get
from control_plane.context import Context
from control_plane.members import Member
from control_plane.tenants import NewApp, NewTenant, create_app_with_keys, create_tenant
from kernel.ids import parse_id


async def open_tenant(
    ctx: Context,
    *,
    email: str,
    organization: str,
    app: str,
    environment: str = "development",
    shard: str | None = None,
    plan: str = "free",
) -> NewTenant:
    """`create_tenant` on the newest version of a plan. Raises `InvalidInput` that names the field."""
    made = await create_tenant(
        ctx,
        email=email,
        organization=organization,
        app=app,
        environment=environment,
        shard=shard,
        plan=load_catalog().newest(plan).grant(),
    )
    await _agree(ctx, await get(ctx.session, parse_id("app", made.app_id)))
    return made


async def open_app(
    ctx: Context, member: Member, *, name: str, environment: str = "development", app_id: UUID | None = None
) -> NewApp:
    """`create_app_with_keys` on the newest free plan."""
    plan = load_catalog().newest("free").grant()
    made = await create_app_with_keys(ctx, member, name=name, environment=environment, plan=plan, app_id=app_id)
    # A form that was sent twice finds the app, with its plan.
    if not await load(ctx.session, made.app.id):
        await _agree(ctx, made.app)
    return made


async def _agree(ctx: Context, app: App) -> None:
    """The plan that the app begins with, as the first fact of its terms."""
    value = {"plan": app.plan, "version": app.plan_version}
    await Agreement(ctx, app.organization_id, app.id).state("plan", value, began_at=app.created_at)
