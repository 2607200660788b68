"""Socket events about presence. They need the connection itself: a device is one."""

from typing import Any

from data_plane.gateway.connection import UserConnection
from data_plane.gateway.dispatcher import Handler
from data_plane.gateway.routes import Payload
from data_plane.presence.schemas import PresenceSetPacket, PresenceSubscribePacket
from data_plane.presence.service import PresenceService


def presence_events(service: PresenceService) -> list[tuple[str, type[Payload], Handler]]:
    """`presence.set` answers with the own presence, `presence.subscribe` `{presence}`, `presence.unsubscribe` `{}`."""

    async def set_own(connection: UserConnection, packet: PresenceSetPacket) -> Any:
        return await service.set(connection, packet)

    async def subscribe(connection: UserConnection, packet: PresenceSubscribePacket) -> Any:
        return {"presence": await service.subscribe(connection, list(dict.fromkeys(packet.user_ids)))}

    async def unsubscribe(connection: UserConnection, packet: PresenceSubscribePacket) -> Any:
        service.unsubscribe(connection, packet.user_ids)
        return {}

    return [
        ("presence.set", PresenceSetPacket, set_own),
        ("presence.subscribe", PresenceSubscribePacket, subscribe),
        ("presence.unsubscribe", PresenceSubscribePacket, unsubscribe),
    ]
