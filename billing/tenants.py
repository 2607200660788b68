"""Tenants as they begin: on the newest free plan."""

from billing.plans import load_catalog
from control_plane.context import Context
from control_plane.tenants import NewTenant, create_tenant


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
