"""`typing.start` and `typing.stop`: answered from memory, heard by those who watch the channel."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from data_plane.channels.errors import no_channel
from data_plane.fanout.hub import Hub
from data_plane.fanout.stream import Stream
from data_plane.gateway.connection import UserConnection
from data_plane.gateway.routes import ImmediateRoute, Payload
from data_plane.log import Entry, LogKey, channel_log
from data_plane.log.entries import passing_entry
from data_plane.messages.schemas import ChannelId, MessageId
from data_plane.shard import Shard
from kernel.ids import parse_id

QUIET: Final = 2.0
"""Seconds in which further starts of a user in a channel are answered and not passed on."""
LIFETIME: Final = 6.0
"""Seconds after which a start that is not repeated means nothing any more; clients and this node agree on it."""
_SWEEP_AT: Final = 10_000
_DONE: Final[Mapping[str, Any]] = {}


class TypingPacket(Payload, frozen=True, kw_only=True):
    """Packet of `typing.start` and `typing.stop`."""

    channel_id: ChannelId
    thread_id: MessageId | None = None
    """The message that begins the thread, for who answers in one."""


class _Unchecked(Payload, frozen=True, kw_only=True):
    channel_id: str
    thread_id: str | None = None


class _Said:
    """When a user's start in a channel, or in a thread of it, was passed on last, on whichever of its connections."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = -LIFETIME


class Typing:
    """What this node has passed on lately, so that a keystroke is not an event for everybody."""

    def __init__(self, shard: Shard, hub: Hub, publish: Callable[[Iterable[Entry]], None]) -> None:
        self._shard = shard
        self._hub = hub
        self._publish = publish
        self._now = shard.clock.monotonic
        self._said: dict[tuple[UUID, str, str, str | None], _Said] = {}

    def routes(self) -> list[ImmediateRoute]:
        """The events; both answer `{}`."""
        return [
            ImmediateRoute("typing.start", TypingPacket, self.start, _Unchecked),
            ImmediateRoute("typing.stop", TypingPacket, self.stop, _Unchecked),
        ]

    def start(self, connection: UserConnection, packet: TypingPacket | _Unchecked) -> Mapping[str, Any]:
        """The user types. Raises `NotFound` for a channel that it is no member of."""
        now = self._now()
        typed = connection.typed
        if typed is not None:
            # Nearly every keystroke: the same packet again, read once; still a member, and told of a moment ago.
            before, stream, said = typed
            if (
                before is packet
                and now - said.at < QUIET
                and connection in stream.recipients
                and packet.channel_id not in connection.watching
            ):
                return _DONE
        stream = self._stream(connection, packet.channel_id)
        thread_id = _thread(packet)
        key = (connection.app_id, packet.channel_id, connection.user_id, thread_id)
        said = self._said.get(key)
        if said is None:
            if len(self._said) >= _SWEEP_AT:
                self._said = {each: said for each, said in self._said.items() if now - said.at < LIFETIME}
            said = self._said[key] = _Said()
        connection.typed = packet, stream, said
        if now - said.at >= QUIET:
            said.at = now
            self._tell(connection, packet.channel_id, thread_id, "typing.started")
        return _DONE

    def stop(self, connection: UserConnection, packet: TypingPacket | _Unchecked) -> Mapping[str, Any]:
        """The user has stopped, or sent what it typed."""
        self._stream(connection, packet.channel_id)
        thread_id = _thread(packet)
        connection.typed = None
        said = self._said.pop((connection.app_id, packet.channel_id, connection.user_id, thread_id), None)
        if said is not None:
            said.at = -LIFETIME  # its other connections may remember it
            self._tell(connection, packet.channel_id, thread_id, "typing.stopped")
        return _DONE

    def _stream(self, connection: UserConnection, channel_id: str) -> Stream:
        stream = self._hub.heard(connection, LogKey(connection.app_id, channel_log(channel_id)))
        if stream is None or channel_id in connection.watching:
            raise no_channel()
        return stream

    def _tell(self, connection: UserConnection, channel_id: str, thread_id: str | None, type: str) -> None:
        entry = passing_entry(
            app_id=connection.app_id,
            log=channel_log(channel_id),
            epoch=self._shard.epoch,
            type=type,
            at=self._shard.clock.now(),
            actor=connection.user_id,
            data={"user_id": connection.user_id, "thread_id": thread_id},
        )
        self._publish([entry])


def _thread(packet: TypingPacket | _Unchecked) -> str | None:
    """The thread. Raises for one that was not looked at yet, which brings the packet again with all checks."""
    thread_id = packet.thread_id
    if thread_id is not None:
        if isinstance(packet, _Unchecked):
            raise no_channel()
        parse_id("msg", thread_id, field="thread_id")
    return thread_id
