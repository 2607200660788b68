"""`reaction.add` and `reaction.remove`; the same use cases as REST, answered with the message as the user sees it."""

from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller
from data_plane.messages.views import OneMessage
from data_plane.reactions.schemas import ReactionAddPacket, ReactionRemovePacket
from data_plane.reactions.service import Reactions
from data_plane.shard import Shard


def socket_routes(shard: Shard) -> list[SocketRoute]:
    """Both answer `{message}`."""

    async def add(caller: Caller, packet: ReactionAddPacket) -> OneMessage:
        async with shard.unit_of_work(caller.app_id) as uow:
            message, _ = await Reactions(shard).add(uow, caller, packet.message_id, packet.emoji, unique=packet.unique)
        return {"message": message}

    async def remove(caller: Caller, packet: ReactionRemovePacket) -> OneMessage:
        async with shard.unit_of_work(caller.app_id) as uow:
            return {"message": await Reactions(shard).remove(uow, caller, packet.message_id, packet.emoji)}

    return [
        SocketRoute("reaction.add", ReactionAddPacket, add),
        SocketRoute("reaction.remove", ReactionRemovePacket, remove),
    ]
