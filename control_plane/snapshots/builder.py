"""Build a page of snapshots."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import configuration
from control_plane.apps.holds import effective
from control_plane.apps.models import App
from control_plane.entitlements.models import Entitlement
from control_plane.keys.models import ApiKey, AppSigningKey
from control_plane.organizations.models import Organization
from kernel.clock import month_of
from kernel.contracts import Access, AppSnapshot, Quota, SecretKey, SigningKey, SnapshotPage
from kernel.errors import Conflict
from kernel.ids import format_id
from kernel.security.vault import Vault

PAGE: Final = 200


class SnapshotVersionAhead(Conflict):
    """The node knows a newer configuration than there is: the control database was restored to an older state."""

    code = "snapshot_version_ahead"
    title = "The configuration is older than the one the node has applied"


async def build_page(session: AsyncSession, vault: Vault, *, shard: str, since: int, now: datetime) -> SnapshotPage:
    """The shard's apps that changed after version `since`, oldest change first, at most 200.

    Runs as one consistent read: the session must be at the start of its transaction. `version` is where a node stands
    that has applied the page, so the next call's `since`. Raises `SnapshotVersionAhead`.
    """
    await session.execute(text("set transaction isolation level repeatable read"))
    version = await configuration.current(session)
    if since > version:
        raise SnapshotVersionAhead(
            f"The node has applied version {since}, the newest here is {version}.", applied=since, newest=version
        )
    rows = await session.execute(
        select(App, Organization.closed_at)
        .join(Organization, Organization.id == App.organization_id)
        .where(App.shard == shard, App.version > since)
        .order_by(App.version)
        .limit(PAGE + 1)
    )
    found = list(rows)
    apps = [app for app, _ in found]
    # A closed organization's apps are suspended, whatever they will be when it is restored.
    closed = {app.id for app, closed_at in found if closed_at is not None}
    page, has_more = apps[:PAGE], len(apps) > PAGE
    if has_more:
        version = page[-1].version
    return SnapshotPage(
        version=version, apps=tuple(await _snapshots(session, vault, page, closed, now)), has_more=has_more
    )


async def _snapshots(
    session: AsyncSession, vault: Vault, apps: list[App], closed: set[UUID], now: datetime
) -> Iterable[AppSnapshot]:
    ids = [app.id for app in apps]
    api_keys: dict[UUID, list[ApiKey]] = defaultdict(list)
    signing_keys: dict[UUID, list[AppSigningKey]] = defaultdict(list)
    entitlements: dict[UUID, list[Entitlement]] = defaultdict(list)
    if ids:
        live_keys = select(ApiKey).where(
            ApiKey.app_id.in_(ids),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        )
        for api_key in (await session.execute(live_keys.order_by(ApiKey.id))).scalars():
            api_keys[api_key.app_id].append(api_key)
        live_signing = select(AppSigningKey).where(AppSigningKey.app_id.in_(ids), AppSigningKey.revoked_at.is_(None))
        for signing_key in (await session.execute(live_signing.order_by(AppSigningKey.id))).scalars():
            signing_keys[signing_key.app_id].append(signing_key)
        all_entitlements = select(Entitlement).where(Entitlement.app_id.in_(ids)).order_by(Entitlement.meter)
        for entitlement in (await session.execute(all_entitlements)).scalars():
            entitlements[entitlement.app_id].append(entitlement)
    return [
        _snapshot(
            app,
            effective(app.status, app.hold, closed=app.id in closed),
            api_keys[app.id],
            signing_keys[app.id],
            entitlements[app.id],
            vault,
            now,
        )
        for app in apps
    ]


def _snapshot(
    app: App,
    served: tuple[str, Access],
    api_keys: list[ApiKey],
    signing_keys: list[AppSigningKey],
    entitlements: list[Entitlement],
    vault: Vault,
    now: datetime,
) -> AppSnapshot:
    features = app.settings.get("features", {})
    status, access = served
    document = {
        "app_id": app.public_id,
        "organization_id": format_id("org", app.organization_id),
        "version": app.version,
        "shard": app.shard,
        "environment": app.environment,
        "status": status,
        "access": access,
        "publishable_keys": [key.value for key in api_keys if key.kind == "publishable"],
        "secret_keys": [
            SecretKey(id=key.public_id, digest=key.digest or "", scopes=tuple(key.scopes), expires_at=key.expires_at)
            for key in api_keys
            if key.kind == "secret"
        ],
        "signing_keys": [_signing_key(app, key, vault) for key in signing_keys],
        "allowed_origins": app.allowed_origins,
        "guests": app.guests and features.get("guests", True),
        "anonymous": app.anonymous and features.get("anonymous", True),
        "quotas": [_quota(entitlement, month_of(now)) for entitlement in entitlements],
        "limits": app.settings.get("limits", []),
        "features": features,
    }
    return msgspec.convert(document, AppSnapshot)


def _signing_key(app: App, key: AppSigningKey, vault: Vault) -> SigningKey:
    if key.sealed_secret is not None:
        material = vault.open("signing-keys", key.sealed_secret, context=app.public_id.encode()).decode()
    else:
        material = key.public_key or ""
    document = {"kid": key.kid, "algorithm": key.algorithm, "key": material, "mint": key.mint}
    return msgspec.convert(document, SigningKey)


def _quota(entitlement: Entitlement, period: str) -> Quota:
    # The standing of a past month is nothing used in this one, also before anybody has computed it anew. What is stored
    # stays stored.
    current = entitlement.period == period or entitlement.meter == "storage_bytes"
    document = {
        "meter": entitlement.meter,
        "period": period,
        "used": entitlement.used if current else 0,
        "limit": entitlement.included,
        "over": entitlement.over,
        "exceeded": entitlement.exceeded if current else False,
    }
    return msgspec.convert(document, Quota)
