"""Create, upload and revoke the keys that user tokens are verified with."""

import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update

from control_plane import audit
from control_plane.apps import repository as apps
from control_plane.apps.models import App
from control_plane.context import Context
from control_plane.keys.models import AppSigningKey
from control_plane.keys.public_keys import parse_public_key
from kernel.errors import Conflict, NotFound

MAX_LIVE_KEYS: Final = 10


@dataclass(frozen=True, slots=True)
class NewSigningSecret:
    """The only moment at which the secret is shown."""

    kid: str
    secret: str


async def create_signing_secret(
    ctx: Context, app_id: UUID, *, mint: bool = False, key_id: UUID | None = None
) -> NewSigningSecret:
    """A fresh HS256 secret. `key_id`: the id to give it.

    With `mint`, `POST /v1/tokens` signs with it from now on; the one that did keeps verifying until it is revoked.
    """
    app = await apps.get_for_change(ctx.session, app_id)
    await _check_room(ctx, app)
    if mint:
        old = update(AppSigningKey).where(AppSigningKey.app_id == app.id, AppSigningKey.mint)
        await ctx.session.execute(old.values(mint=False).execution_options(synchronize_session=False))
    key_id = key_id or ctx.ids.uuid7()
    secret = secrets.token_urlsafe(48)
    key = AppSigningKey(
        id=key_id,
        app_id=app.id,
        kid="",
        algorithm="HS256",
        sealed_secret=ctx.vault.seal("signing-keys", secret.encode(), context=app.public_id.encode()),
        mint=mint,
        created_at=ctx.now,
    )
    key.kid = key.public_id
    ctx.session.add(key)
    await note_key(app, key, "created", ctx=ctx)
    return NewSigningSecret(key.kid, secret)


async def add_public_key(
    ctx: Context,
    app_id: UUID,
    material: str,
    *,
    kid: str | None = None,
    key_id: UUID | None = None,
    key_set_id: UUID | None = None,
) -> list[str]:
    """Upload a PEM public key, a JWK or a JWKS; returns the `kid` of each key in it.

    `kid` names a single key that brings no name of its own; `key_id`: the id to give the first; `key_set_id`: where
    they come from. Raises `InvalidInput`
    for anything that is not a public RSA (2048 bits or more), P-256 or Ed25519 key, and `Conflict` for a `kid` that the
    app has used before.
    """
    parsed = parse_public_key(material, kid=kid)
    app = await apps.get_for_change(ctx.session, app_id)
    kids: list[str] = []
    for public in parsed:
        await _check_room(ctx, app)
        key = AppSigningKey(
            id=(key_id if not kids else None) or ctx.ids.uuid7(),
            app_id=app.id,
            kid="",
            algorithm=public.algorithm,
            public_key=public.pem,
            mint=False,
            created_at=ctx.now,
            key_set_id=key_set_id,
        )
        key.kid = public.kid or key.public_id
        taken = select(AppSigningKey.id).where(AppSigningKey.app_id == app.id, AppSigningKey.kid == key.kid)
        if (await ctx.session.execute(taken)).first() is not None:
            raise Conflict(f"The app has, or had, a signing key named {key.kid!r}; give this one another `kid`.")
        ctx.session.add(key)
        await note_key(app, key, "added", ctx=ctx)
        kids.append(key.kid)
    return kids


async def revoke_signing_key(ctx: Context, app_id: UUID, kid: str) -> AppSigningKey:
    """Tokens signed with it are refused once nodes have applied this version. Raises `Conflict` for the minting key."""
    app = await apps.get_for_change(ctx.session, app_id)
    found = await ctx.session.execute(
        select(AppSigningKey).where(AppSigningKey.app_id == app.id, AppSigningKey.kid == kid)
    )
    key = found.scalar_one_or_none()
    if key is None:
        raise NotFound("There is no such signing key.")
    if key.mint:
        raise Conflict("Tokens are minted with this key. Create another minting key first; then revoke this one.")
    if key.revoked_at is None:
        key.revoked_at, key.revoked_version = ctx.now, app.version
        await note_key(app, key, "revoked", ctx=ctx)
    return key


async def _check_room(ctx: Context, app: App) -> None:
    live = select(func.count()).where(AppSigningKey.app_id == app.id, AppSigningKey.revoked_at.is_(None))
    if (await ctx.session.execute(live)).scalar_one() >= MAX_LIVE_KEYS:
        raise Conflict(f"An app has at most {MAX_LIVE_KEYS} live signing keys; revoke one first.")


async def note_key(app: App, key: AppSigningKey, verb: str, *, ctx: Context) -> None:
    """The audit entry of what became of a key."""
    await audit.record(
        ctx,
        f"signing_key.{verb}",
        key.public_id,
        organization_id=app.organization_id,
        app_id=app.id,
        kid=key.kid,
        algorithm=key.algorithm,
        mint=key.mint,
    )
