"""`message.pin` and `message.unpin`; the same use cases as REST."""

from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller
from data_plane.pins.schemas import MessagePinPacket, MessageUnpinPacket
from data_plane.pins.service import Pins
from data_plane.pins.views import OnePin
from data_plane.shard import Shard


def socket_routes(shard: Shard) -> list[SocketRoute]:
    """The first answers `{pin}`, the second `{}`."""

    async def pin(caller: Caller, packet: MessagePinPacket) -> OnePin:
        async with shard.unit_of_work(caller.app_id) as uow:
            made, _ = await Pins(shard).pin(uow, caller, packet.message_id, expires_at=packet.expires_at)
        return {"pin": made}

    async def unpin(caller: Caller, packet: MessageUnpinPacket) -> dict[str, str]:
        async with shard.unit_of_work(caller.app_id) as uow:
            await Pins(shard).unpin(uow, caller, packet.message_id)
        return {}

    return [
        SocketRoute("message.pin", MessagePinPacket, pin),
        SocketRoute("message.unpin", MessageUnpinPacket, unpin),
    ]
