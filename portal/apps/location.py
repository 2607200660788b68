"""Where an app is reached, for pages that show it."""

from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import placement
from control_plane.apps.models import App
from control_plane.keys.reads import ApiKeyView, list_api_keys
from kernel.settings import Settings

_WORKING: Final = ("live", "expiring")


async def addresses(session: AsyncSession, settings: Settings, app: App, *, now: datetime) -> list[str]:
    """The addresses at which the app is served now: its shard's one, or those of the live nodes by name."""
    for shard in settings.all_shards():
        if shard.id == app.shard and shard.public_url:
            return [shard.public_url.rstrip("/")]
    return [node.url.rstrip("/") for node in await placement.live_nodes(session, app.shard, now=now) if node.url]


async def publishable_key(session: AsyncSession, app: App, *, now: datetime) -> str | None:
    """The newest publishable key that works."""
    return next((key.value for key in await list_api_keys(session, app, now=now) if _shown(key)), None)


def works(key: ApiKeyView) -> bool:
    """Whether a node accepts it."""
    return key.state in _WORKING


def _shown(key: ApiKeyView) -> bool:
    return key.kind == "publishable" and works(key)


def origin_of(url: str) -> str:
    """`https://chat.example.com` of an address under it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def socket_origin(url: str) -> str:
    """The same for WebSockets: a content policy names both."""
    return origin_of(url).replace("http", "ws", 1)
