"""`typing.start` and `typing.stop`: answered from memory, heard by those who watch the channel."""

from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

from data_plane.channels.errors import no_channel
from data_plane.fanout.hub import Hub
from data_plane.gateway.connection import Connection
from data_plane.gateway.routes import ImmediateRoute, Payload
from data_plane.log import Entry, channel_log
from data_plane.log.entries import CHANNEL, passing_entry
from data_plane.messages.schemas import ChannelId
from data_plane.shard import Shard

QUIET: Final = 2.0
"""Seconds in which further starts of a user in a channel are answered and not passed on."""
LIFETIME: Final = 6.0
"""Seconds after which a start that is not repeated means nothing any more; clients and this node agree on it."""
_SWEEP_AT: Final = 10_000


class TypingPacket(Payload, frozen=True, kw_only=True):
    """Packet of `typing.start` and `typing.stop`."""

    channel_id: ChannelId


class _Unchecked(Payload, frozen=True, kw_only=True):
    channel_id: str


class Typing:
    """What this node has passed on lately, so that a keystroke is not an event for everybody."""

    def __init__(self, shard: Shard, hub: Hub, publish: Callable[[Iterable[Entry]], None]) -> None:
        self._shard = shard
        self._hub = hub
        self._publish = publish
        self._started: dict[tuple[UUID, str, str], float] = {}

    def routes(self) -> list[ImmediateRoute]:
        """The events; both answer `{}`."""
        return [
            ImmediateRoute("typing.start", TypingPacket, self.start, _Unchecked),
            ImmediateRoute("typing.stop", TypingPacket, self.stop, _Unchecked),
        ]

    def start(self, connection: Connection, packet: TypingPacket | _Unchecked) -> dict[str, Any]:
        """The user types. Raises `NotFound` for a channel that it is no member of."""
        key = self._key(connection, packet.channel_id)
        now = self._shard.clock.monotonic()
        if now - self._started.get(key, -LIFETIME) >= QUIET:
            if len(self._started) >= _SWEEP_AT:
                self._started = {each: at for each, at in self._started.items() if now - at < LIFETIME}
            self._started[key] = now
            self._tell(connection, packet.channel_id, "typing.started")
        return {}

    def stop(self, connection: Connection, packet: TypingPacket | _Unchecked) -> dict[str, Any]:
        """The user has stopped, or sent what it typed."""
        key = self._key(connection, packet.channel_id)
        if self._started.pop(key, None) is not None:
            self._tell(connection, packet.channel_id, "typing.stopped")
        return {}

    def _key(self, connection: Connection, channel_id: str) -> tuple[UUID, str, str]:
        # A plain tuple is as good a key as a `LogKey`, and made in half the time: this is asked at every keystroke.
        if channel_id in connection.watching or not self._hub.hears(
            connection, (connection.app_id, CHANNEL + channel_id)
        ):
            raise no_channel()
        return connection.app_id, channel_id, connection.user_id

    def _tell(self, connection: Connection, channel_id: str, type: str) -> None:
        entry = passing_entry(
            app_id=connection.app_id,
            log=channel_log(channel_id),
            epoch=self._shard.epoch,
            type=type,
            at=self._shard.clock.now(),
            actor=connection.user_id,
            data={"user_id": connection.user_id},
        )
        self._publish([entry])
