"""Tenants as they begin: on the newest free plan."""

from uuid import UUID

from billing.plans import load_catalog
from control_plane.context import Context
from control_plane.members import Member
from control_plane.tenants import NewApp, NewTenant, create_app_with_keys, create_tenant


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
    return await create_tenant(
        ctx,
        email=email,
        organization=organization,
        app=app,
        environment=environment,
        shard=shard,
        plan=load_catalog().newest(plan).grant(),
    )


async def open_app(
    ctx: Context, member: Member, *, name: str, environment: str = "development", app_id: UUID | None = None
) -> NewApp:
    """`create_app_with_keys` on the newest free plan."""
    plan = load_catalog().newest("free").grant()
    return await create_app_with_keys(ctx, member, name=name, environment=environment, plan=plan, app_id=app_id)
