"""Socket events on one's own memberships; the same use cases as REST."""

from data_plane.gateway.routes import SocketRoute
from data_plane.identity.caller import Caller
from data_plane.members.arrange import Arranging
from data_plane.members.schemas import MembershipArrangePacket
from data_plane.members.views import Arrangement
from data_plane.shard import Shard


def socket_routes(shard: Shard) -> list[SocketRoute]:
    """`membership.arrange` answers all that is arranged then."""

    async def arrange(caller: Caller, packet: MembershipArrangePacket) -> Arrangement:
        async with shard.unit_of_work(caller.app_id) as uow:
            return await Arranging(shard).arrange(uow, caller, packet.channel_id, packet.wish())

    return [SocketRoute("membership.arrange", MembershipArrangePacket, arrange)]
