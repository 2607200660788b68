"""Open a tenant: everything that a developer needs to send the first message, in one transaction."""

from dataclasses import dataclass

from control_plane.apps.service import create_app_record
from control_plane.context import Context
from control_plane.entitlements import PlanGrant
from control_plane.keys.api_keys import create_publishable_key, create_secret_key
from control_plane.keys.signing_keys import create_signing_secret
from control_plane.organizations.service import open_organization
from kernel.ids import format_id


@dataclass(frozen=True, slots=True)
class NewTenant:
    """What to hand to the developer. `secret_key` is known now and never again."""

    organization_id: str
    app_id: str
    shard: str
    environment: str
    publishable_key: str
    secret_key: str


async def create_tenant(
    ctx: Context,
    *,
    email: str,
    organization: str,
    app: str,
    plan: PlanGrant,
    environment: str = "development",
    shard: str | None = None,
) -> NewTenant:
    """An app with a publishable key, a secret key and a minting key, in the owner's organization of that name.

    The organization is made when it is not there. Raises `InvalidInput` that names the field.
    """
    owner = await open_organization(ctx, email=email, name=organization)
    record = await create_app_record(ctx, owner, name=app, environment=environment, plan=plan, shard=shard)
    publishable = await create_publishable_key(ctx, record.id)
    secret = await create_secret_key(ctx, record.id)
    await create_signing_secret(ctx, record.id, mint=True)
    return NewTenant(
        organization_id=format_id("org", owner.id),
        app_id=record.public_id,
        shard=record.shard,
        environment=record.environment,
        publishable_key=publishable,
        secret_key=secret.value,
    )
