"""`/v1/channels`."""

from typing import Any

from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from data_plane.channels.create import ChannelCreation
from data_plane.channels.schemas import CreateChannel, UpdateChannel
from data_plane.channels.service import ChannelService
from data_plane.dependencies import CallerDependency, Cursor, Limit, OptionalUser, ShardDependency, require_scope
from data_plane.idempotency import Answer, once, request_key


@post("/v1/channels")
async def create_channel(
    request: Request[Any, Any, Any], data: JSONBody[CreateChannel], caller: CallerDependency, shard: ShardDependency
) -> Response[bytes]:
    """Create a channel: 201, or 200 for the very same one again."""
    require_scope(caller, "channels")
    key = await request_key(request)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            view, fresh = await ChannelCreation(shard).create(uow, caller, data)
            return Answer(201 if fresh else 200, view)

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


@get("/v1/channels")
async def list_channels(
    caller: CallerDependency,
    shard: ShardDependency,
    limit: Limit = 25,
    cursor: Cursor = None,
    user_id: OptionalUser = None,
) -> dict[str, Any]:
    """The caller's channels by id; for a server those of `user_id`, or all."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        return await ChannelService(shard).page(uow, caller, user_id=user_id, limit=limit, cursor=cursor)


@get("/v1/channels/{channel_id:str}")
async def get_channel(channel_id: FromPath[str], caller: CallerDependency, shard: ShardDependency) -> dict[str, Any]:
    """One channel."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return await ChannelService(shard).get(uow, caller, channel_id)


@patch("/v1/channels/{channel_id:str}")
async def update_channel(
    channel_id: FromPath[str], data: JSONBody[UpdateChannel], caller: CallerDependency, shard: ShardDependency
) -> dict[str, Any]:
    """Change name, image, custom or frozen."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        return await ChannelService(shard).update(uow, caller, channel_id, data)


@delete("/v1/channels/{channel_id:str}")
async def delete_channel(channel_id: FromPath[str], caller: CallerDependency, shard: ShardDependency) -> None:
    """Delete a channel for everybody. Its id stays taken."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        await ChannelService(shard).delete(uow, caller, channel_id)


ROUTES: list[ControllerRouterHandler] = [create_channel, list_channels, get_channel, update_channel, delete_channel]
