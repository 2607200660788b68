"""Events about the connection itself: its token, and the channels it watches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from data_plane.blocks.hidden import Hidden, HiddenUsers
from data_plane.channels.access import may_see, seen
from data_plane.channels.create import view_of
from data_plane.channels.errors import no_channel
from data_plane.channels.models import JOINED
from data_plane.channels.repository import ChannelRepository
from data_plane.fanout.hub import Hub
from data_plane.gateway.connection import AnonymousConnection, Connection, UserConnection
from data_plane.gateway.dispatcher import Dispatcher
from data_plane.gateway.gateway import Gateway
from data_plane.gateway.routes import Payload
from data_plane.grants.standing import standing_of
from data_plane.identity.caller import own_id
from data_plane.log import LogKey, channel_log
from data_plane.messages.schemas import ChannelId
from data_plane.shard import Shard
from kernel.errors import Conflict, Unavailable

MOST_FOR_NOBODY: Final = 50
"""Channels that an anonymous visitor watches at once on one connection."""


_PAUSES: Final = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.0, 1.0)
"""Seconds until a channel is looked at again whose membership is just changing; a node hears of that within 2 s."""


class TooManyWatched(Conflict):
    """An anonymous visitor watches as many channels as one connection may. Unwatch some first."""

    code = "too_many_watched"
    title = "Too many channels are watched"


class RefreshPacket(Payload, frozen=True, kw_only=True):
    """Packet of `auth.refresh`: an access token of the same user."""

    token: str


class WatchPacket(Payload, frozen=True, kw_only=True):
    """Packet of `channel.watch` and `channel.unwatch`."""

    channel_id: ChannelId


Passing = Callable[[Connection, str], Awaitable[dict[str, Any]]]
"""What of a channel is in no log, for who begins to watch it."""


async def _nothing(connection: Connection, channel_id: str) -> dict[str, Any]:
    return {}


def add_connection_events(
    dispatcher: Dispatcher,
    gateway: Gateway,
    hub: Hub,
    shard: Shard,
    hidden: Hidden,
    began: Callable[[Connection], None] = lambda _: None,
    passing: Passing = _nothing,
) -> None:
    """`auth.refresh` answers `{expires_at}`; `channel.watch` answers `{channel}`, whose `seq` is where events go on,
    with what `passing` says.

    `began` hears of a connection that watches a channel without being a member.
    """

    async def refresh(connection: UserConnection, packet: RefreshPacket) -> dict[str, Any]:
        return gateway.refresh(connection, packet.token)

    async def watch(connection: Connection, packet: WatchPacket) -> dict[str, Any]:
        key = LogKey(connection.app_id, channel_log(packet.channel_id))
        for pause in _PAUSES:
            answer = await look(connection, packet.channel_id)
            # Removed while this was read, it has heard so, and must not be told afterwards that it is a member, nor
            # hear what passes by. Just added, it has not heard so yet, and its events do not go on from here.
            if connection.closed or (hub.hears(connection, key) and connection in hub.watching(key)):
                return answer
            hub.unwatch(connection, key)
            await asyncio.sleep(pause)
        raise Unavailable("Whether you may hear this channel is just changing; watch it again.")

    async def look(connection: Connection, channel_id: str) -> dict[str, Any]:
        announced = hub.announced
        async with shard.unit_of_work(connection.app_id, read_only=True) as uow:
            repository = ChannelRepository(uow.session, connection.app_id)
            state = await repository.find(channel_id, own_id(connection.caller))
            standing = await standing_of(shard, uow, connection.caller)
        if state is None or not may_see(seen(standing, state)):
            raise no_channel()
        if isinstance(connection, AnonymousConnection):
            _check_room(connection, channel_id)
        if state.member is None and not connection.closed:
            # Members hear their channels anyway; the others from now on, until they may not any more.
            first = state.last_seq + 1
            key = LogKey(connection.app_id, channel_log(channel_id))
            hub.join(connection, key, first, first_seq=first if state.channel.history == JOINED else 0)
            hub.announce_again(announced)
            connection.watching.add(channel_id)
            began(connection)
        if isinstance(connection, UserConnection) and not isinstance(connection.hidden, HiddenUsers):
            connection.hidden = await hidden.of(connection.app_id, connection.user_id)
        if not connection.closed:
            hub.watch(connection, LogKey(connection.app_id, channel_log(channel_id)))
        # First the ears, then the look: what happens in between is heard. Whoever may not any more was stopped by then.
        return {"channel": view_of(state, standing), **await passing(connection, channel_id)}

    async def unwatch(connection: Connection, packet: WatchPacket) -> dict[str, Any]:
        hub.unwatch(connection, LogKey(connection.app_id, channel_log(packet.channel_id)))
        if packet.channel_id in connection.watching:
            connection.watching.discard(packet.channel_id)
            hub.leave(connection, LogKey(connection.app_id, channel_log(packet.channel_id)))
        return {}

    dispatcher.add("auth.refresh", RefreshPacket, refresh)
    dispatcher.add_for_readers("channel.watch", WatchPacket, watch)
    dispatcher.add_for_readers("channel.unwatch", WatchPacket, unwatch)


def _check_room(connection: AnonymousConnection, channel_id: str) -> None:
    """Raise `TooManyWatched` when the visitor watches as many other channels as it may."""
    if channel_id not in connection.watching and len(connection.watching) >= MOST_FOR_NOBODY:
        raise TooManyWatched(f"An anonymous visitor watches at most {MOST_FOR_NOBODY} channels on a connection.")
