"""`/v1/channels/{id}/members` and leaving."""

from typing import Any

from litestar import Request, Response, delete, get, patch, post, put
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from data_plane.channels.views import ChannelView
from data_plane.dependencies import (
    ANYBODY,
    CallerDependency,
    ChannelPath,
    Cursor,
    Limit,
    ShardDependency,
    UserPath,
    require_scope,
)
from data_plane.grants.errors import LastOwner, PermissionMissing, RoleTooHigh
from data_plane.idempotency import Answer, IdempotencyConflict, IdempotencyKey, once, request_key
from data_plane.members.arrange import Arranging
from data_plane.members.errors import DirectIsFixed, DistinctIsFixed, TooManyPins, UnknownUsers
from data_plane.members.query import query_members
from data_plane.members.schemas import AddMembers, ArrangeChannel, JoinChannel, LeaveChannel, PutMember, UpdateMember
from data_plane.members.service import MemberService
from data_plane.members.views import Arrangement, MemberPage, Members, MemberView, QueriedMembers
from data_plane.query.errors import BadFilter, QueryTooSlow
from data_plane.query.schemas import Query
from kernel.http import answers

_TAGS = ["Members"]


@get(
    "/v1/channels/{channel_id:str}/members",
    operation_id="listMembers",
    summary="List members",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, MemberPage, "A page of members.")),
)
async def list_members(
    channel_id: ChannelPath,
    caller: CallerDependency,
    shard: ShardDependency,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MemberPage:
    """The members of a channel by user id."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return await MemberService(shard).page(uow, caller, channel_id, limit=limit, cursor=cursor)


@post(
    "/v1/channels/{channel_id:str}/members/query",
    status_code=200,
    operation_id="queryMembers",
    summary="Query members",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, QueriedMembers, "A page of members."), errors=(BadFilter, QueryTooSlow), in_read_only=True),
)
async def post_query(
    channel_id: ChannelPath, data: JSONBody[Query], caller: CallerDependency, shard: ShardDependency
) -> QueriedMembers:
    """The members of a channel that match a filter. See the guide on queries."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        return await query_members(shard, uow, caller, channel_id, data)


@post(
    "/v1/channels/{channel_id:str}/members",
    operation_id="addMembers",
    summary="Add members",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (201, Members, "At least one of them is new; each as it is now."),
        (200, Members, "All of them were members already, and keep their roles."),
        errors=(PermissionMissing, RoleTooHigh, DirectIsFixed, DistinctIsFixed, UnknownUsers, IdempotencyConflict),
    ),
)
async def add_members(
    request: Request[Any, Any, Any],
    channel_id: ChannelPath,
    data: JSONBody[AddMembers],
    caller: CallerDependency,
    shard: ShardDependency,
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Add up to 100 users, all or none. Needs `member.add`; the role may do no more than whoever gives it.

    With `history` `joined` they see nothing of what was said before, with `all` everything, left out as the channel
    says. Who does not see everything itself shows no more than it sees: its own beginning is theirs.
    """
    require_scope(caller, "channels")
    key = await request_key(request, idempotency_key)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            views, fresh = await MemberService(shard).add(
                uow, caller, channel_id, data.user_ids, role=data.role, history=data.history, custom=data.custom
            )
            return Answer(201 if fresh else 200, Members(members=views))

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


@put(
    "/v1/channels/{channel_id:str}/members/{user_id:str}",
    operation_id="putMember",
    summary="Add a member, or change its role",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (201, MemberView, "The user is a member now."),
        (200, MemberView, "The user was a member already; this is the membership as it is now."),
        errors=(PermissionMissing, RoleTooHigh, LastOwner, DirectIsFixed, DistinctIsFixed, UnknownUsers),
    ),
)
async def put_member(
    channel_id: ChannelPath,
    user_id: UserPath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[PutMember | None] = None,
) -> Response[bytes]:
    """Add one user, or change a member's role. Needs `member.add`, or `member.role` for a change.

    The role, and the one that is taken, may do no more than whoever gives and takes. The last owner stays one.
    """
    require_scope(caller, "channels")
    wish = data or PutMember()
    async with shard.unit_of_work(caller.app_id) as uow:
        view, fresh = await MemberService(shard).put(
            uow, caller, channel_id, user_id, role=wish.role, history=wish.history, custom=wish.custom
        )
    return Answer(201 if fresh else 200, view).response()


@patch(
    "/v1/channels/{channel_id:str}/members/{user_id:str}",
    operation_id="updateMember",
    summary="Change what is kept with a member",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, MemberView, "The membership as it is now."), errors=(PermissionMissing,)),
)
async def update_member(
    channel_id: ChannelPath,
    user_id: UserPath,
    data: JSONBody[UpdateMember],
    caller: CallerDependency,
    shard: ShardDependency,
) -> MemberView:
    """Set and take away fields of a membership's custom data: one's own, or with `member.custom` another's.

    Everybody in the channel sees it, and gets `member.updated`.
    """
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        return await MemberService(shard).keep(uow, caller, channel_id, user_id, data)


@delete(
    "/v1/channels/{channel_id:str}/members/{user_id:str}",
    operation_id="removeMember",
    summary="Remove a member",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (204, None, "The user is no member, whether it was one before or not."),
        errors=(PermissionMissing, RoleTooHigh, LastOwner, DirectIsFixed, DistinctIsFixed),
    ),
)
async def remove_member(
    channel_id: ChannelPath, user_id: UserPath, caller: CallerDependency, shard: ShardDependency
) -> None:
    """Remove a member. Needs `member.remove`, for oneself `channel.leave`.

    Nobody removes who may do more. The last owner does not go while others stay.
    """
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        await MemberService(shard).remove(uow, caller, channel_id, user_id)


@post(
    "/v1/channels/{channel_id:str}/leave",
    operation_id="leaveChannel",
    summary="Leave a channel",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (204, None, "The user is no member any more."),
        errors=(PermissionMissing, LastOwner, DirectIsFixed, DistinctIsFixed, IdempotencyConflict),
    ),
)
async def leave_channel(
    request: Request[Any, Any, Any],
    channel_id: ChannelPath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[LeaveChannel | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Leave a channel; a server names with `user_id` who leaves. Needs `channel.leave`."""
    require_scope(caller, "channels")
    user_id = caller.acting_as(data.user_id if data is not None else None)
    key = await request_key(request, idempotency_key)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            await MemberService(shard).remove(uow, caller, channel_id, user_id)
            return Answer(204, None)

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


@post(
    "/v1/channels/{channel_id:str}/join",
    operation_id="joinChannel",
    summary="Join a channel",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (201, ChannelView, "The user is a member now."),
        (200, ChannelView, "The user was a member already."),
        errors=(PermissionMissing, DirectIsFixed, DistinctIsFixed, IdempotencyConflict),
    ),
)
async def join_channel(
    request: Request[Any, Any, Any],
    channel_id: ChannelPath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[JoinChannel | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Become a member of a channel that the user's app role lets it join; a server names with `user_id` who joins, and
    joins nobody who may not.

    Answers with the channel as the caller sees it.
    """
    require_scope(caller, "channels")
    user_id = caller.acting_as(data.user_id if data is not None else None)
    key = await request_key(request, idempotency_key)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            view, fresh = await MemberService(shard).join(uow, caller, channel_id, user_id)
            return Answer(201 if fresh else 200, view)

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


@patch(
    "/v1/channels/{channel_id:str}/membership",
    operation_id="arrangeChannel",
    summary="Archive, hide, mute or pin a channel",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, Arrangement, "All that is arranged then."), errors=(TooManyPins,)),
)
async def arrange_channel(
    channel_id: ChannelPath, data: JSONBody[ArrangeChannel], caller: CallerDependency, shard: ShardDependency
) -> Arrangement:
    """What a member does with a channel for itself alone; its devices hear of it, nobody else.

    A hidden channel comes back by itself with the next message that makes unread. `clear_history` lets everything that
    was said so far be gone for this member, and read. A server names the member with `user_id`.
    """
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        return await Arranging(shard).arrange(uow, caller, channel_id, data)


ROUTES: list[ControllerRouterHandler] = [
    list_members, post_query, add_members, put_member, update_member, remove_member, join_channel, leave_channel,
    arrange_channel,
]  # fmt: skip
