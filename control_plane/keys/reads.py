"""Keys as a page shows them: what state each is in, and which nodes still hold one that was revoked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import placement
from control_plane.apps.models import App
from control_plane.keys.models import ApiKey, AppSigningKey
from control_plane.keys.revocation import Revocation, judge
from control_plane.placement import LiveNode
from kernel.contracts import SigningKey
from kernel.errors import Conflict, NotFound
from kernel.ids import format_id
from kernel.security.vault import Vault

State = Literal["live", "expiring", "expired", "pending", "revoked"]
"""`expiring` has an end in the future; `pending` is revoked, and nodes in `waiting_for` may still accept it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyView:
    """`value` is there for publishable keys alone."""

    id: UUID
    kind: Literal["publishable", "secret"]
    value: str | None
    last_four: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """Of a secret key, as its nodes told, at most a minute or two ago."""
    exposed_at: datetime | None
    exposed_by: str | None
    exposed_where: str | None
    """Where whoever reported it says that the key was found."""
    state: State
    waiting_for: tuple[str, ...]

    @property
    def public_id(self) -> str:
        """`key_…`"""
        return format_id("key", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyView:
    """A key that user tokens are verified with. `mint`: `POST /v1/tokens` signs with it."""

    id: UUID
    kid: str
    algorithm: str
    mint: bool
    created_at: datetime
    revoked_at: datetime | None
    state: State
    waiting_for: tuple[str, ...]

    @property
    def public_id(self) -> str:
        """`key_…`"""
        return format_id("key", self.id)


async def list_api_keys(session: AsyncSession, app: App, *, now: datetime) -> list[ApiKeyView]:
    """All of the app's keys, also those that ended, the newest first."""
    query = select(ApiKey).where(ApiKey.app_id == app.id).order_by(ApiKey.id.desc())
    nodes = await placement.live_nodes(session, app.shard, now=now)
    return [_api_key(key, nodes, now) for key in (await session.execute(query)).scalars()]


async def get_api_key(session: AsyncSession, app: App, key_id: UUID, *, now: datetime) -> ApiKeyView:
    """One of the app's keys. Raises `NotFound`."""
    key = await session.scalar(select(ApiKey).where(ApiKey.app_id == app.id, ApiKey.id == key_id))
    if key is None:
        raise NotFound()
    return _api_key(key, await placement.live_nodes(session, app.shard, now=now), now)


async def list_signing_keys(session: AsyncSession, app: App, *, now: datetime) -> list[SigningKeyView]:
    """All of the app's signing keys, also those that ended, the newest first. None of them with its secret."""
    query = select(AppSigningKey).where(AppSigningKey.app_id == app.id).order_by(AppSigningKey.id.desc())
    nodes = await placement.live_nodes(session, app.shard, now=now)
    return [_signing_key(key, nodes, now) for key in (await session.execute(query)).scalars()]


async def get_signing_key(session: AsyncSession, app: App, key_id: UUID, *, now: datetime) -> SigningKeyView:
    """One of the app's signing keys. Raises `NotFound`."""
    query = select(AppSigningKey).where(AppSigningKey.app_id == app.id, AppSigningKey.id == key_id)
    key = await session.scalar(query)
    if key is None:
        raise NotFound()
    return _signing_key(key, await placement.live_nodes(session, app.shard, now=now), now)


async def minting_key(session: AsyncSession, vault: Vault, app: App) -> SigningKey:
    """The key that signs the app's tokens, opened. Raises `Conflict` when the app has none."""
    query = select(AppSigningKey).where(
        AppSigningKey.app_id == app.id, AppSigningKey.mint, AppSigningKey.revoked_at.is_(None)
    )
    key = await session.scalar(query)
    if key is None or key.sealed_secret is None:
        raise Conflict("The app has no key to mint tokens with.")
    secret = vault.open("signing-keys", key.sealed_secret, context=app.public_id.encode()).decode()
    return SigningKey(kid=key.kid, algorithm="HS256", key=secret, mint=True)


def _signing_key(key: AppSigningKey, nodes: list[LiveNode], now: datetime) -> SigningKeyView:
    state, waiting_for = _state(key.revoked_version, None, nodes, now)
    return SigningKeyView(
        id=key.id,
        kid=key.kid,
        algorithm=key.algorithm,
        mint=key.mint,
        created_at=key.created_at,
        revoked_at=key.revoked_at,
        state=state,
        waiting_for=waiting_for,
    )


def _api_key(key: ApiKey, nodes: list[LiveNode], now: datetime) -> ApiKeyView:
    state, waiting_for = _state(key.revoked_version, key.expires_at, nodes, now)
    return ApiKeyView(
        id=key.id,
        kind="publishable" if key.kind == "publishable" else "secret",
        value=key.value,
        last_four=key.last_four,
        scopes=tuple(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        exposed_at=key.exposed_at,
        exposed_by=key.exposed_by,
        exposed_where=key.exposed_where,
        state=state,
        waiting_for=waiting_for,
    )


def _state(
    revoked_version: int | None, expires_at: datetime | None, nodes: list[LiveNode], now: datetime
) -> tuple[State, tuple[str, ...]]:
    if revoked_version is not None:
        revocation: Revocation = judge(nodes, revoked_version)
        return ("pending" if revocation.state == "pending" else "revoked"), revocation.waiting_for
    if expires_at is None:
        return "live", ()
    return ("expiring" if expires_at > now else "expired"), ()
