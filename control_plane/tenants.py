"""Open a tenant: everything that a developer needs to send the first message, in one transaction."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from control_plane import configuration
from control_plane.apps.models import App
from control_plane.apps.service import create_app_record
from control_plane.context import Context
from control_plane.entitlements import PlanGrant
from control_plane.keys.api_keys import create_publishable_key, create_secret_key
from control_plane.keys.models import ApiKey
from control_plane.keys.signing_keys import create_signing_secret
from control_plane.members.scope import Member
from control_plane.organizations.models import Organization
from control_plane.organizations.service import open_organization
from kernel.ids import format_id


@dataclass(frozen=True, slots=True)
class NewApp:
    """`secret_key` is known to the one who made the app, then; `None` for who asks again."""

    app: App
    publishable_key: str
    secret_key: str | None


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
    await configuration.advance(ctx.session)
    owner = await open_organization(ctx, email=email, name=organization)
    made = await _app_with_keys(ctx, owner, name=app, environment=environment, plan=plan, shard=shard)
    return NewTenant(
        organization_id=format_id("org", owner.id),
        app_id=made.app.public_id,
        shard=made.app.shard,
        environment=made.app.environment,
        publishable_key=made.publishable_key,
        secret_key=made.secret_key or "",
    )


async def create_app_with_keys(
    ctx: Context, member: Member, *, name: str, environment: str, plan: PlanGrant, app_id: UUID | None = None
) -> NewApp:
    """An app with its first keys in the member's organization.

    With an id that was used before, as by a form that is sent twice: that app, without its secret key, which only the
    first answer holds. Raises `Forbidden`, and `InvalidInput` that names the field.
    """
    member.require("apps.create")
    # Whoever comes second waits here until the first is through.
    await configuration.advance(ctx.session)
    if app_id is not None:
        found = select(App).where(App.id == app_id, App.organization_id == member.organization_id)
        app = (await ctx.session.execute(found)).scalar_one_or_none()
        if app is not None:
            return NewApp(app, await _first_publishable_key(ctx, app), None)
    organization = (
        await ctx.session.execute(select(Organization).where(Organization.id == member.organization_id))
    ).scalar_one()
    return await _app_with_keys(ctx, organization, name=name, environment=environment, plan=plan, app_id=app_id)


async def _app_with_keys(
    ctx: Context,
    organization: Organization,
    *,
    name: str,
    environment: str,
    plan: PlanGrant,
    shard: str | None = None,
    app_id: UUID | None = None,
) -> NewApp:
    app = await create_app_record(
        ctx, organization, name=name, environment=environment, plan=plan, shard=shard, app_id=app_id
    )
    publishable = await create_publishable_key(ctx, app.id)
    secret = await create_secret_key(ctx, app.id)
    await create_signing_secret(ctx, app.id, mint=True)
    return NewApp(app, publishable, secret.value)


async def _first_publishable_key(ctx: Context, app: App) -> str:
    query = select(ApiKey.value).where(ApiKey.app_id == app.id, ApiKey.kind == "publishable")
    return (await ctx.session.execute(query.order_by(ApiKey.id).limit(1))).scalar_one() or ""
