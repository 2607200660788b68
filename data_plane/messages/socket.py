"""Socket events on messages that exist; the same use cases as REST. `message.send` is in `send.py`."""

from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller
from data_plane.messages.delete import MessageDeletion
from data_plane.messages.edit import MessageEditing
from data_plane.messages.hide import MessageHiding
from data_plane.messages.schemas import (
    MessageDeletePacket,
    MessageHidePacket,
    MessageRestorePacket,
    MessageUpdatePacket,
)
from data_plane.messages.views import HiddenMessage, OneMessage
from data_plane.shard import Shard


def socket_routes(shard: Shard) -> list[SocketRoute]:
    """`message.update`, `message.delete` and `message.restore` answer `{message}`, `message.hide` what it hid."""

    async def update(caller: Caller, packet: MessageUpdatePacket) -> OneMessage:
        async with shard.unit_of_work(caller.app_id) as uow:
            message = await MessageEditing(shard).edit(uow, caller, packet.id, packet.wish())
        return {"message": message}

    async def delete(caller: Caller, packet: MessageDeletePacket) -> OneMessage:
        async with shard.unit_of_work(caller.app_id) as uow:
            message = await MessageDeletion(shard).delete(uow, caller, packet.id, hard=packet.hard)
        return {"message": message}

    async def restore(caller: Caller, packet: MessageRestorePacket) -> OneMessage:
        async with shard.unit_of_work(caller.app_id) as uow:
            message = await MessageDeletion(shard).restore(uow, caller, packet.id)
        return {"message": message}

    async def hide(caller: Caller, packet: MessageHidePacket) -> HiddenMessage:
        async with shard.unit_of_work(caller.app_id) as uow:
            return await MessageHiding(shard).hide(uow, caller, packet.id)

    return [
        SocketRoute("message.update", MessageUpdatePacket, update),
        SocketRoute("message.delete", MessageDeletePacket, delete),
        SocketRoute("message.restore", MessageRestorePacket, restore),
        SocketRoute("message.hide", MessageHidePacket, hide),
    ]
