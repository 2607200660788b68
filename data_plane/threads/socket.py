"""`thread.read`; the same use case as REST."""

from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller
from data_plane.shard import Shard
from data_plane.threads.schemas import ThreadReadPacket
from data_plane.threads.service import Threads
from data_plane.threads.views import ThreadPosition


def socket_routes(shard: Shard) -> list[SocketRoute]:
    """Answers with the position as it is then."""

    async def read(caller: Caller, packet: ThreadReadPacket) -> ThreadPosition:
        async with shard.unit_of_work(caller.app_id) as uow:
            return await Threads(shard).mark_read(uow, caller, packet.message_id, reply_id=packet.reply_id)

    return [SocketRoute("thread.read", ThreadReadPacket, read)]
