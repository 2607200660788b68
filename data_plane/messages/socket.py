"""Socket events on messages that exist; the same use cases as REST. `message.send` is in `send.py`."""

from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller
from data_plane.messages.edit import MessageEditing
from data_plane.messages.read import Reading
from data_plane.messages.schemas import MessageDeletePacket, MessageUpdatePacket, ReceiptReadPacket
from data_plane.messages.views import OneMessage, ReadPosition
from data_plane.shard import Shard


def socket_routes(shard: Shard) -> list[SocketRoute]:
    """`message.update` and `message.delete` answer `{message}`, `receipt.read` the position as it is then."""

    async def update(caller: Caller, packet: MessageUpdatePacket) -> OneMessage:
        async with shard.unit_of_work(caller.app_id) as uow:
            message = await MessageEditing(shard).edit(
                uow, caller, packet.id, text=packet.text, attachments=packet.attachments, custom=packet.custom
            )
        return {"message": message}

    async def delete(caller: Caller, packet: MessageDeletePacket) -> OneMessage:
        async with shard.unit_of_work(caller.app_id) as uow:
            message = await MessageEditing(shard).delete(uow, caller, packet.id)
        return {"message": message}

    async def read(caller: Caller, packet: ReceiptReadPacket) -> ReadPosition:
        async with shard.unit_of_work(caller.app_id) as uow:
            return await Reading(shard).mark_read(
                uow, caller, packet.channel_id, number=packet.number, message_id=packet.message_id
            )

    return [
        SocketRoute("message.update", MessageUpdatePacket, update),
        SocketRoute("message.delete", MessageDeletePacket, delete),
        SocketRoute("receipt.read", ReceiptReadPacket, read),
    ]
