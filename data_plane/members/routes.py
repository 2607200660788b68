"""`/v1/channels/{id}/members` and leaving."""

from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import CallerDependency, Cursor, Limit, ShardDependency, require_scope
from data_plane.idempotency import Answer, once, request_key
from data_plane.members.schemas import AddMembers, LeaveChannel, PutMember
from data_plane.members.service import MemberService


@get("/v1/channels/{channel_id:str}/members")
async def list_members(
    channel_id: FromPath[str],
    caller: CallerDependency,
    shard: ShardDependency,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """The members by user id."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return await MemberService(shard).page(uow, caller, channel_id, limit=limit, cursor=cursor)


@post("/v1/channels/{channel_id:str}/members")
async def add_members(
    request: Request[Any, Any, Any],
    channel_id: FromPath[str],
    data: JSONBody[AddMembers],
    caller: CallerDependency,
    shard: ShardDependency,
) -> Response[bytes]:
    """Add up to 100 users: 201 when anybody is new, 200 when all were there."""
    require_scope(caller, "channels")
    key = await request_key(request)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            views, fresh = await MemberService(shard).add(uow, caller, channel_id, data.user_ids, role=data.role)
            return Answer(201 if fresh else 200, {"members": views})

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


@put("/v1/channels/{channel_id:str}/members/{user_id:str}")
async def put_member(
    channel_id: FromPath[str],
    user_id: FromPath[str],
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[PutMember | None] = None,
) -> Response[bytes]:
    """Add one user, or change a member's role."""
    require_scope(caller, "channels")
    role = data.role if data is not None else None
    async with shard.unit_of_work(caller.app_id) as uow:
        view, fresh = await MemberService(shard).put(uow, caller, channel_id, user_id, role=role)
    return Answer(201 if fresh else 200, view).response()


@delete("/v1/channels/{channel_id:str}/members/{user_id:str}")
async def remove_member(
    channel_id: FromPath[str], user_id: FromPath[str], caller: CallerDependency, shard: ShardDependency
) -> None:
    """Remove a member, or leave when it is oneself."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        await MemberService(shard).remove(uow, caller, channel_id, user_id)


@post("/v1/channels/{channel_id:str}/leave")
async def leave_channel(
    request: Request[Any, Any, Any],
    channel_id: FromPath[str],
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[LeaveChannel | None] = None,
) -> Response[bytes]:
    """Leave a channel."""
    require_scope(caller, "channels")
    user_id = caller.acting_as(data.user_id if data is not None else None)
    key = await request_key(request)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            await MemberService(shard).remove(uow, caller, channel_id, user_id)
            return Answer(204, None)

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


ROUTES: list[ControllerRouterHandler] = [list_members, add_members, put_member, remove_member, leave_channel]
