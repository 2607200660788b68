"""Socket events on messages that exist; the same use cases as REST. `message.send` is in `send.py`."""

from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller
from data_plane.messages.edit import MessageEditing
from data_plane.messages.schemas import MessageDeletePacket, MessageUpdatePacket
from data_plane.messages.views import OneMessage
from data_plane.shard import Shard


def socket_routes(shard: Shard) -> list[SocketRoute]:
    """`message.update` and `message.delete` answer `{message}`."""

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

    return [
        SocketRoute("message.update", MessageUpdatePacket, update),
        SocketRoute("message.delete", MessageDeletePacket, delete),
    ]
