"""`/v1/users/me/blocks`: for users."""

from litestar import Response, delete, get, put
from litestar.types import ControllerRouterHandler

from data_plane.blocks.errors import TooManyBlocks
from data_plane.blocks.service import BlockService
from data_plane.blocks.views import Blocks, BlockView, block_view
from data_plane.dependencies import USER, CallerDependency, ShardDependency, UserPath
from data_plane.identity.caller import Caller
from data_plane.members.errors import UnknownUsers
from data_plane.shard import Shard
from kernel.errors import Forbidden
from kernel.http import answers

_TAGS = ["Blocks"]


@put(
    "/v1/users/me/blocks/{user_id:str}",
    operation_id="blockUser",
    summary="Block a user",
    tags=_TAGS,
    security=USER,
    opt=answers(
        (201, BlockView, "The user is blocked now."),
        (200, BlockView, "The user was blocked before."),
        errors=(UnknownUsers, TooManyBlocks),
    ),
)
async def put_block(user_id: UserPath, caller: CallerDependency, shard: ShardDependency) -> Response[BlockView]:
    """Block another user: in a direct channel it cannot write to the caller any more. It is not told."""
    blocks = _blocks(caller, shard)
    async with shard.unit_of_work(caller.app_id) as uow:
        block, fresh = await blocks.add(uow, user_id)
    return Response(block_view(block), status_code=201 if fresh else 200)


@delete(
    "/v1/users/me/blocks/{user_id:str}",
    operation_id="unblockUser",
    summary="Unblock a user",
    tags=_TAGS,
    security=USER,
    opt=answers((204, None, "The user is not blocked, whether it was before or not.")),
)
async def delete_block(user_id: UserPath, caller: CallerDependency, shard: ShardDependency) -> None:
    """Take a block back."""
    blocks = _blocks(caller, shard)
    async with shard.unit_of_work(caller.app_id) as uow:
        await blocks.remove(uow, user_id)


@get(
    "/v1/users/me/blocks",
    operation_id="listBlocks",
    summary="List blocked users",
    tags=_TAGS,
    security=USER,
    opt=answers((200, Blocks, "All of them, by id.")),
)
async def list_blocks(caller: CallerDependency, shard: ShardDependency) -> Blocks:
    """Everybody whom the caller has blocked."""
    blocks = _blocks(caller, shard)
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return {"blocks": [block_view(block) for block in await blocks.all(uow)]}


def _blocks(caller: Caller, shard: Shard) -> BlockService:
    if caller.user_id is None:
        raise Forbidden("Blocks are a user's own; call with its token.")
    return BlockService(shard, caller.app_id, caller.user_id)


ROUTES: list[ControllerRouterHandler] = [list_blocks, put_block, delete_block]
