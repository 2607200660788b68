"""From a key to an address."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import placement
from control_plane.apps.models import App
from control_plane.keys.models import ApiKey
from kernel.errors import NotFound
from kernel.security import keys
from kernel.settings import Settings


class LocationView(TypedDict):
    """Where an app is served."""

    app_id: str
    url: str
    """The address for REST and Socket.IO."""
    shard: str
    environment: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where an app is served; `url` is `None` while no node of its shard is live."""

    app_id: str
    shard: str
    environment: str
    url: str | None


async def locate(session: AsyncSession, settings: Settings, key: str, *, now: datetime) -> Location:
    """The location of the app that a live `pk_…` names. Raises `NotFound`, the same for every other text."""
    app = None
    if keys.well_formed("pk", key):
        query = (
            select(App)
            .join(ApiKey, ApiKey.app_id == App.id)
            .where(
                ApiKey.value == key,
                ApiKey.revoked_at.is_(None),
                or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
                App.status != "deleted",
            )
        )
        app = (await session.execute(query)).scalar_one_or_none()
    if app is None:
        raise NotFound("There is no app with this publishable key.")
    url = await shard_url(session, settings, app.shard, now=now)
    return Location(app.public_id, app.shard, app.environment, url)


async def shard_url(session: AsyncSession, settings: Settings, shard: str, *, now: datetime) -> str | None:
    """The shard's configured address, or that of one of its live nodes, chosen at random."""
    for configured in settings.all_shards():
        if configured.id == shard and configured.public_url:
            return configured.public_url
    urls = [node.url for node in await placement.live_nodes(session, shard, now=now) if node.url]
    return secrets.choice(urls) if urls else None
