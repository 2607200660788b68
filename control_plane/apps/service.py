"""The life of an app."""

from collections.abc import Sequence
from typing import get_args
from uuid import UUID

from control_plane import audit, configuration, entitlements, placement
from control_plane.apps import repository
from control_plane.apps.models import App
from control_plane.apps.origins import check_origins
from control_plane.apps.rules import require_confirmation
from control_plane.context import Context
from control_plane.entitlements import PlanGrant
from control_plane.organizations.models import Organization
from control_plane.validation import check_name
from kernel.contracts import Environment
from kernel.errors import Conflict, InvalidInput


async def create_app_record(
    ctx: Context,
    organization: Organization,
    *,
    name: str,
    environment: str,
    plan: PlanGrant,
    shard: str | None = None,
    app_id: UUID | None = None,
) -> App:
    """A new active app with its entitlements, placed on the least filled shard unless one is named. It has no keys."""
    name = check_name(name, field="app")
    if environment not in get_args(Environment):
        raise InvalidInput("`environment` must be `development` or `production`.", field="environment")
    version = await configuration.advance(ctx.session)
    app = App(
        id=app_id or ctx.ids.uuid7(),
        organization_id=organization.id,
        name=name,
        environment=environment,
        status="active",
        shard=await placement.choose_shard(ctx.session, ctx.settings, wanted=shard),
        plan=plan.plan,
        plan_version=plan.version,
        version=version,
        allowed_origins=["*"],
        settings=plan.settings(),
        created_at=ctx.now,
    )
    ctx.session.add(app)
    await ctx.session.flush()
    await entitlements.write_grants(ctx.session, app.id, plan.grants, now=ctx.now)
    await _audit(ctx, app, "created", name=name, environment=environment, shard=app.shard, plan=plan.plan)
    return app


async def rename_app(ctx: Context, app_id: UUID, name: str) -> App:
    """Names are for people: nodes do not know them, so the configuration keeps its version."""
    name = check_name(name, field="app")
    app = await repository.get(ctx.session, app_id)
    before, app.name = app.name, name
    await _audit(ctx, app, "renamed", before=before, after=name)
    return app


async def suspend_app(ctx: Context, app_id: UUID, *, reason: str) -> App:
    """Nodes refuse everything of a suspended app and close its sockets; its data stays."""
    app = await repository.get_for_change(ctx.session, app_id)
    app.status = "suspended"
    await _audit(ctx, app, "suspended", reason=check_name(reason, field="reason"))
    return app


async def resume_app(ctx: Context, app_id: UUID) -> App:
    """Make a suspended app active again."""
    app = await repository.get_for_change(ctx.session, app_id)
    app.status = "active"
    await _audit(ctx, app, "resumed")
    return app


async def promote_app(ctx: Context, app_id: UUID, *, confirm: str | None = None) -> App:
    """From development to production, once and for good; keys, data and settings stay. `confirm` is the app's name.

    Raises `InvalidInput` without it, and `Conflict` for an app in production.
    """
    app = await repository.get_for_change(ctx.session, app_id)
    if app.environment == "production":
        raise Conflict("The app is in production already.")
    require_confirmation(app, confirm, "promote", everywhere=True)
    app.environment, app.promoted_at = "production", ctx.now
    await _audit(ctx, app, "promoted", open_to_every_origin="*" in app.allowed_origins)
    return app


async def delete_app(ctx: Context, app_id: UUID, *, confirm: str | None = None) -> App:
    """Nodes refuse everything and close its sockets, keys and tokens work no more; there is no way back.

    `confirm` is the app's name. Raises `InvalidInput` without it.
    """
    app = await repository.get_for_change(ctx.session, app_id)
    require_confirmation(app, confirm, "delete", everywhere=True)
    app.status, app.deleted_at = "deleted", ctx.now
    await _audit(ctx, app, "deleted", name=app.name, environment=app.environment)
    return app


async def set_allowed_origins(ctx: Context, app_id: UUID, origins: Sequence[str], *, confirm: str | None = None) -> App:
    """Which web pages may connect: exact origins (`https://chat.example.com`), or `*` alone for all.

    In production it takes the app's name, `confirm`, to open it to all. Raises `InvalidInput`.
    """
    checked = check_origins(origins)
    app = await repository.get_for_change(ctx.session, app_id)
    if "*" in checked and "*" not in app.allowed_origins:
        require_confirmation(app, confirm, "let any web page connect to")
    before, app.allowed_origins = app.allowed_origins, checked
    await _audit(ctx, app, "origins_changed", before=before, after=checked)
    return app


async def set_guests(ctx: Context, app_id: UUID, allowed: bool) -> App:
    """Whether whoever has the publishable key may make itself a guest. Guests who are there stay."""
    app = await repository.get_for_change(ctx.session, app_id)
    before = app.guests
    app.settings = {**app.settings, "guests": allowed}
    await _audit(ctx, app, "guests_changed", before=before, after=allowed)
    return app


async def set_anonymous(ctx: Context, app_id: UUID, allowed: bool) -> App:
    """Whether whoever has the publishable key may read and watch as nobody. Where it is taken back, nodes end the
    connections of those who do."""
    app = await repository.get_for_change(ctx.session, app_id)
    before = app.anonymous
    app.settings = {**app.settings, "anonymous": allowed}
    await _audit(ctx, app, "anonymous_changed", before=before, after=allowed)
    return app


async def set_leaked_keys(ctx: Context, app_id: UUID, revoke: bool) -> App:
    """Whether a secret key that is found in public is revoked at once, or its owners are only told."""
    app = await repository.get_for_change(ctx.session, app_id)
    before = app.revoke_leaked_keys
    app.settings = {**app.settings, "revoke_leaked_keys": revoke}
    await _audit(ctx, app, "leaked_keys_changed", before=before, after=revoke)
    return app


async def _audit(ctx: Context, app: App, verb: str, **data: object) -> None:
    await audit.record(ctx, f"app.{verb}", app.public_id, organization_id=app.organization_id, app_id=app.id, **data)
