"""Create, rotate and revoke API keys."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit
from control_plane.apps import repository as apps
from control_plane.apps.models import App
from control_plane.apps.rules import require_confirmation
from control_plane.context import Context
from control_plane.keys.models import ApiKey
from kernel.clock import rfc3339
from kernel.errors import Conflict, InvalidInput, NotFound
from kernel.security import keys

MAX_LIVE_KEYS: Final = 20
MAX_OVERLAP: Final = timedelta(days=30)
_SCOPE: Final = re.compile(r"\*|[a-z][a-z_]{0,30}(:[a-z][a-z_]{0,30})?")


@dataclass(frozen=True, slots=True)
class NewSecretKey:
    """The only moment at which the key itself is known."""

    id: str
    value: str


async def create_publishable_key(ctx: Context, app_id: UUID, *, key_id: UUID | None = None) -> str:
    """A fresh `pk_…`. It is public, so it is kept as it is. `key_id`: the id to give it."""
    app = await apps.get_for_change(ctx.session, app_id)
    await _check_room(ctx, app)
    value = keys.generate("pk")
    key = ApiKey(
        id=key_id or ctx.ids.uuid7(),
        app_id=app.id,
        kind="publishable",
        value=value,
        last_four=value[-4:],
        scopes=["*"],
        created_at=ctx.now,
    )
    ctx.session.add(key)
    await _audit(ctx, app, key, "created", kind=key.kind)
    return value


async def create_secret_key(
    ctx: Context,
    app_id: UUID,
    *,
    scopes: Sequence[str] = ("*",),
    expires_at: datetime | None = None,
    key_id: UUID | None = None,
) -> NewSecretKey:
    """A fresh `sk_…`. `scopes` are `*` or `noun` or `noun:verb`; `expires_at` lies in the future or is absent.

    `key_id`: the id to give it.
    """
    app = await apps.get_for_change(ctx.session, app_id)
    return await _new_secret(ctx, app, check_scopes(scopes), expires_at, key_id)


async def rotate_secret_key(
    ctx: Context, app_id: UUID, key_id: UUID, *, overlap: timedelta, successor_id: UUID | None = None
) -> NewSecretKey:
    """A successor with the same scopes; the old key goes on working for `overlap` (0 to 30 days)."""
    if not timedelta() <= overlap <= MAX_OVERLAP:
        raise InvalidInput("`overlap` must be between 0 and 30 days.", field="overlap")
    app = await apps.get_for_change(ctx.session, app_id)
    old = await _get(ctx.session, app, key_id)
    if old.kind != "secret":
        raise Conflict("Only secret keys are rotated; create another publishable key instead.")
    _check_live(old, ctx.now)
    ends = ctx.now + overlap
    old.expires_at = ends if old.expires_at is None else min(ends, old.expires_at)
    fresh = await _new_secret(ctx, app, old.scopes, None, successor_id)
    await _audit(ctx, app, old, "rotated", successor=fresh.id, expires_at=rfc3339(old.expires_at))
    return fresh


async def revoke_api_key(ctx: Context, app_id: UUID, key_id: UUID, *, confirm: str | None = None) -> ApiKey:
    """Nodes refuse the key once they have applied this version; `revocation.state` tells when all have.

    The last key of its kind of an app in production takes the app's name, `confirm`. Raises `InvalidInput` without.
    """
    app = await apps.get_for_change(ctx.session, app_id)
    key = await _get(ctx.session, app, key_id)
    if key.revoked_at is None:
        if await _is_last(ctx, key):
            require_confirmation(app, confirm, f"revoke the last {key.kind} key of")
        key.revoked_at, key.revoked_version = ctx.now, app.version
        await _audit(ctx, app, key, "revoked", kind=key.kind)
    return key


def check_scopes(scopes: Sequence[str]) -> list[str]:
    """The scopes, each once. Raises `InvalidInput`."""
    if not 1 <= len(scopes) <= 50 or not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise InvalidInput("`scopes` must hold 1 to 50 of `*`, `noun` or `noun:verb`.", field="scopes")
    return list(dict.fromkeys(scopes))


async def _new_secret(
    ctx: Context, app: App, scopes: list[str], expires_at: datetime | None, key_id: UUID | None
) -> NewSecretKey:
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= ctx.now):
        raise InvalidInput("`expires_at` must be a time in the future, with its offset.", field="expires_at")
    await _check_room(ctx, app)
    value = keys.generate("sk")
    key = ApiKey(
        id=key_id or ctx.ids.uuid7(),
        app_id=app.id,
        kind="secret",
        digest=keys.digest(ctx.vault.key("secret-keys"), value),
        last_four=value[-4:],
        scopes=scopes,
        created_at=ctx.now,
        expires_at=expires_at,
    )
    ctx.session.add(key)
    await _audit(ctx, app, key, "created", kind=key.kind, scopes=scopes)
    return NewSecretKey(key.public_id, value)


async def _get(session: AsyncSession, app: App, key_id: UUID) -> ApiKey:
    found = await session.execute(select(ApiKey).where(ApiKey.app_id == app.id, ApiKey.id == key_id))
    key = found.scalar_one_or_none()
    if key is None:
        raise NotFound("There is no such key.")
    return key


def _check_live(key: ApiKey, now: datetime) -> None:
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise Conflict("The key was revoked or has expired; create a new one.")


async def _is_last(ctx: Context, key: ApiKey) -> bool:
    """Whether it works, and no other of its kind does."""
    works = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > ctx.now)
    live = select(ApiKey.id).where(
        ApiKey.app_id == key.app_id, ApiKey.kind == key.kind, ApiKey.revoked_at.is_(None), works
    )
    return list((await ctx.session.execute(live)).scalars()) == [key.id]


async def _check_room(ctx: Context, app: App) -> None:
    live = select(func.count()).where(
        ApiKey.app_id == app.id,
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > ctx.now),
    )
    if (await ctx.session.execute(live)).scalar_one() >= MAX_LIVE_KEYS:
        raise Conflict(f"An app has at most {MAX_LIVE_KEYS} live keys; revoke one first.")


async def _audit(ctx: Context, app: App, key: ApiKey, verb: str, **data: object) -> None:
    await audit.record(
        ctx,
        f"api_key.{verb}",
        key.public_id,
        organization_id=app.organization_id,
        app_id=app.id,
        last_four=key.last_four,
        **data,
    )
