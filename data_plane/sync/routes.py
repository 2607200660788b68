"""`GET /v1/sync` and the `sync` event."""

from typing import Annotated, Any

import msgspec
import orjson
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import ANYBODY, CallerDependency, OptionalUser, require_scope
from data_plane.gateway.routes import Payload, SocketRoute
from data_plane.identity.caller import Caller
from data_plane.sync.cursor import BadCursor
from data_plane.sync.service import SyncService
from data_plane.sync.views import FreshState, Recovered
from kernel.http import answers

_Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many events an answer holds at most.")]
_Cursor = Annotated[
    str | None,
    QueryParameter(max_length=200, description="From an answer of sync, or `sync.cursor` of a socket, unchanged."),
]


@get(
    "/v1/sync",
    operation_id="sync",
    summary="Catch up",
    tags=["Sync"],
    security=ANYBODY,
    opt=answers((200, (Recovered, FreshState), "What happened since the cursor, or fresh state."), errors=(BadCursor,)),
)
async def sync(
    caller: CallerDependency,
    sync_service: NamedDependency[SkipValidation[SyncService]],
    cursor: _Cursor = None,
    limit: _Limit = 200,
    user_id: OptionalUser = None,
) -> Response[bytes]:
    """Everything of a user since a cursor, over all of its channels; a server names the user.

    Without a cursor, or with one that is too old, the answer is fresh state and `recovered` is false. Never a part of
    what happened without saying so.
    """
    require_scope(caller, "messages")
    answer = await sync_service.since(caller.app_id, caller.acting_as(user_id), cursor, limit=limit)
    return Response(orjson.dumps(answer), media_type="application/json", headers={"cache-control": "no-store"})


ROUTES: list[ControllerRouterHandler] = [sync]


class SyncPacket(Payload, frozen=True, kw_only=True):
    """Packet of `sync`."""

    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


def socket_route(service: SyncService) -> SocketRoute:
    """`sync`, acknowledged with what `GET /v1/sync` answers."""

    async def handle(caller: Caller, packet: SyncPacket) -> dict[str, Any]:
        return await service.since(caller.app_id, caller.acting_as(None), packet.cursor, limit=packet.limit)

    return SocketRoute("sync", SyncPacket, handle, in_read_only=True)
