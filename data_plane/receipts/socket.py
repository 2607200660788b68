"""Socket events about positions; the same use cases as REST."""

from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller
from data_plane.receipts.schemas import ReadAllPacket, ReceiptPacket, UnreadMarkPacket
from data_plane.receipts.service import ReceiptService
from data_plane.receipts.views import DeliveredPosition, ReadAll, ReadPosition


def socket_routes(service: ReceiptService) -> list[SocketRoute]:
    """Each answers with the position as it is then."""

    async def read(caller: Caller, packet: ReceiptPacket) -> ReadPosition:
        return await service.mark_read(caller, packet.channel_id, number=packet.number, message_id=packet.message_id)

    async def delivered(caller: Caller, packet: ReceiptPacket) -> DeliveredPosition:
        return await service.mark_delivered(
            caller, packet.channel_id, number=packet.number, message_id=packet.message_id
        )

    async def unread(caller: Caller, packet: UnreadMarkPacket) -> ReadPosition:
        return await service.mark_unread(caller, packet.channel_id, number=packet.number, message_id=packet.message_id)

    async def read_all(caller: Caller, packet: ReadAllPacket) -> ReadAll:
        return await service.read_all(caller, type=packet.type)

    return [
        SocketRoute("receipt.read", ReceiptPacket, read),
        SocketRoute("receipt.delivered", ReceiptPacket, delivered),
        SocketRoute("receipt.read_all", ReadAllPacket, read_all),
        SocketRoute("unread.mark", UnreadMarkPacket, unread),
    ]
