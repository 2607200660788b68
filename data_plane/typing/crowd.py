"""Who types in a large channel is a number, told at most once a second; in others everybody is told of."""

import asyncio
from typing import Final

import orjson

from data_plane.fanout.hub import Hub
from data_plane.log import Entry, LogKey
from data_plane.log.entries import passing_entry
from data_plane.presence.audience import Audience
from data_plane.shard import Shard
from data_plane.typing.socket import LIFETIME

TICK: Final = 1.0
COUNTED: Final = "typing.counted"

Place = tuple[LogKey, str | None]
"""A channel, or a thread of it."""


class TypingCrowd:
    """What those who watch on one node hear of typists. `run` must be running."""

    def __init__(self, shard: Shard, hub: Hub, audience: Audience) -> None:
        self._shard = shard
        self._hub = hub
        self._audience = audience
        self._typists: dict[Place, dict[str, float]] = {}
        self._told: dict[Place, int] = {}
        self._joined: set[LogKey] = set()
        """Channels that somebody has begun to watch, who knows of no typist yet."""
        audience.listen(lambda _, key: self._joined.add(key), lambda *_: None)
        for type in ("typing.started", "typing.stopped"):
            hub.on_passing(type, self.heard)

    def heard(self, entry: Entry) -> None:
        """Somebody types somewhere, or has stopped."""
        watched = self._audience.channels.get(entry.key)
        if watched is None or not watched.large:
            if ears := self._hub.watching(entry.key):
                self._hub.tell(ears, entry)
            return
        data = orjson.loads(entry.event)["data"]
        typists = self._typists.setdefault((entry.key, data["thread_id"]), {})
        if entry.type == "typing.started":
            typists[data["user_id"]] = self._shard.clock.monotonic() + LIFETIME
        else:
            typists.pop(data["user_id"], None)

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            await asyncio.sleep(TICK)
            self.round()

    def round(self) -> None:
        """Tell the numbers that are others now, and those of channels that somebody new watches. A typist whose time is
        over counts no more."""
        now = self._shard.clock.monotonic()
        joined, self._joined = self._joined, set()
        for place, typists in list(self._typists.items()):
            for user_id in [user_id for user_id, until in typists.items() if until <= now]:
                del typists[user_id]
            if len(typists) != self._told.get(place, 0) or (typists and place[0] in joined):
                self._tell(place, len(typists))
            if typists:
                self._told[place] = len(typists)
            else:
                del self._typists[place]
                self._told.pop(place, None)

    def _tell(self, place: Place, count: int) -> None:
        key, thread_id = place
        data = {"aggregated": True, "count": count, "thread_id": thread_id}
        entry = passing_entry(
            app_id=key.app_id, log=key.log, epoch=self._shard.epoch, type=COUNTED, at=self._shard.clock.now(),
            actor=None, data=data,
        )  # fmt: skip
        self._hub.tell(self._hub.watching(key), entry)
