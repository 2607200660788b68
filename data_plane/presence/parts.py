"""What knows and tells who is there on a node, put together."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis, RedisCluster

from data_plane.blocks.hidden import Hidden
from data_plane.fanout.bus import PresenceChosen, Signal
from data_plane.fanout.hub import Hub
from data_plane.gateway.connection import Registry
from data_plane.presence.audience import Audience
from data_plane.presence.choices import Choice
from data_plane.presence.crowds import Crowds
from data_plane.presence.service import PresenceService
from data_plane.presence.store import PresenceStore
from data_plane.presence.tracker import Chosen, Presence
from data_plane.shard import Shard
from kernel.ids import format_id, parse_id


class PresenceParts:
    """Of one process. `publish` gives entries to its own hub and to the bus, `signal` tells the other processes."""

    def __init__(
        self,
        shard: Shard,
        redis: Redis | RedisCluster,
        hub: Hub,
        registry: Registry,
        audience: Audience,
        hidden: Hidden,
        publish: Callable[[Any], None],
        signal: Callable[[Signal], None],
        *,
        process: str,
    ) -> None:
        self._process = process
        self._signal = signal
        store = PresenceStore(redis, shard_id=shard.id, process=process)
        self.presence = Presence(shard, store, hub, registry, audience, publish, self._tell_choice)
        self.crowds = Crowds(
            shard,
            redis,
            hub,
            audience,
            publish,
            process=process,
            visible=self.presence.visible,
            counts=self.presence.counts_here,
        )
        self.presence.settled = self.crowds.user_moved
        self.service = PresenceService(shard, self.presence, self.crowds, hidden)

    def run(self) -> "list[asyncio.Task[None]]":
        """Begin to say and hear."""
        return [
            asyncio.create_task(self.presence.run(), name="presence"),
            asyncio.create_task(self.crowds.run(), name="crowds"),
        ]

    def chosen(self, signal: PresenceChosen) -> None:
        """A process says what a user has chosen."""
        if signal.process != self._process:
            expires = datetime.fromtimestamp(signal.text_expires_at, UTC) if signal.text_expires_at else None
            choice = Choice(signal.status, signal.text, expires, signal.version)
            self.presence.chosen(Chosen((parse_id("app", signal.app_id), signal.user_id), choice))

    def _tell_choice(self, chosen: Chosen) -> None:
        (app_id, user_id), choice = chosen.user, chosen.choice
        expires = choice.text_expires_at
        signal = PresenceChosen(
            process=self._process,
            app_id=format_id("app", app_id),
            user_id=user_id,
            status=choice.status,
            text=choice.text,
            text_expires_at=expires.timestamp() if expires is not None else None,
            version=choice.version,
        )
        self._signal(signal)
