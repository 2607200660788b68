"""`event.send`; the same use case as REST."""

from data_plane.custom_events.schemas import EventPacket
from data_plane.custom_events.service import CustomEvents
from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller


def socket_routes(events: CustomEvents) -> list[SocketRoute]:
    """Answers with `{}` when it is on its way."""

    async def send(caller: Caller, packet: EventPacket) -> dict[str, str]:
        await events.to_channel(caller, packet.channel_id, type=packet.type, data=packet.data)
        return {}

    return [SocketRoute("event.send", EventPacket, send)]
