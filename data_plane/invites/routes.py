"""`/v1/channels/{id}/invites` for those who invite, `/v1/invites` for those who are invited."""

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from data_plane.channels.views import ChannelView
from data_plane.dependencies import (
    ANYBODY,
    CallerDependency,
    ChannelPath,
    Cursor,
    Limit,
    OptionalUser,
    ShardDependency,
    UserPath,
    require_scope,
)
from data_plane.grants.errors import PermissionMissing, RoleTooHigh
from data_plane.idempotency import Answer, IdempotencyConflict, IdempotencyKey, once, request_key
from data_plane.invites.schemas import AnswerInvite, InviteMembers
from data_plane.invites.service import InviteService
from data_plane.invites.views import InvitePage, Invites
from data_plane.members.errors import DirectIsFixed, DistinctIsFixed, UnknownUsers
from kernel.http import answers

_TAGS = ["Invites"]


@post(
    "/v1/channels/{channel_id:str}/invites",
    operation_id="inviteMembers",
    summary="Invite users",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (201, Invites, "At least one of them is invited now."),
        (200, Invites, "All of them were invited or members already."),
        errors=(PermissionMissing, RoleTooHigh, DirectIsFixed, DistinctIsFixed, UnknownUsers, IdempotencyConflict),
    ),
)
async def invite_members(
    request: Request[Any, Any, Any],
    channel_id: ChannelPath,
    data: JSONBody[InviteMembers],
    caller: CallerDependency,
    shard: ShardDependency,
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Ask up to 100 users to become members, all or none; members are left out. They hear `invite.changed`, and receive
    nothing of the channel before they accept. Needs `member.add`; the role may do no more than whoever gives it.
    """
    require_scope(caller, "channels")
    key = await request_key(request, idempotency_key)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            views, fresh = await InviteService(shard).invite(uow, caller, channel_id, data)
            return Answer(201 if fresh else 200, Invites(invites=views))

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


@get(
    "/v1/channels/{channel_id:str}/invites",
    operation_id="listChannelInvites",
    summary="List a channel's invites",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, InvitePage, "A page of invites."), errors=(PermissionMissing,)),
)
async def list_channel_invites(
    channel_id: ChannelPath, caller: CallerDependency, shard: ShardDependency, limit: Limit = 50, cursor: Cursor = None
) -> InvitePage:
    """Who is invited to a channel and has not answered, by user id. Needs `member.add`."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return await InviteService(shard).of_channel(uow, caller, channel_id, limit=limit, cursor=cursor)


@delete(
    "/v1/channels/{channel_id:str}/invites/{user_id:str}",
    operation_id="revokeInvite",
    summary="Take an invite back",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((204, None, "The user is not invited, whether it was before or not."), errors=(PermissionMissing,)),
)
async def revoke_invite(
    channel_id: ChannelPath, user_id: UserPath, caller: CallerDependency, shard: ShardDependency
) -> None:
    """Take back an invite that was not answered. Needs `member.add`."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        await InviteService(shard).revoke(uow, caller, channel_id, user_id)


@get(
    "/v1/invites",
    operation_id="listInvites",
    summary="List one's own invites",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, InvitePage, "A page of invites.")),
)
async def list_invites(
    caller: CallerDependency,
    shard: ShardDependency,
    limit: Limit = 50,
    cursor: Cursor = None,
    user_id: OptionalUser = None,
) -> InvitePage:
    """What the user is invited to and has not answered, by channel; a server names the user with `user_id`."""
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return await InviteService(shard).mine(uow, caller, user_id=user_id, limit=limit, cursor=cursor)


@post(
    "/v1/invites/{channel_id:str}/accept",
    status_code=200,
    operation_id="acceptInvite",
    summary="Accept an invite",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ChannelView, "The user is a member now.")),
)
async def accept_invite(
    channel_id: ChannelPath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[AnswerInvite | None] = None,
) -> ChannelView:
    """Become a member of a channel that one was invited to; a server names with `user_id` who accepts. Answers with the
    channel as the caller sees it."""
    require_scope(caller, "channels")
    user_id = caller.acting_as(data.user_id if data is not None else None)
    async with shard.unit_of_work(caller.app_id) as uow:
        return await InviteService(shard).accept(uow, caller, channel_id, user_id)


@post(
    "/v1/invites/{channel_id:str}/reject",
    status_code=204,
    operation_id="rejectInvite",
    summary="Reject an invite",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((204, None, "The invite is over.")),
)
async def reject_invite(
    channel_id: ChannelPath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[AnswerInvite | None] = None,
) -> None:
    """Say no to an invite; a server names with `user_id` who does. One may be invited again."""
    require_scope(caller, "channels")
    user_id = caller.acting_as(data.user_id if data is not None else None)
    async with shard.unit_of_work(caller.app_id) as uow:
        await InviteService(shard).reject(uow, caller, channel_id, user_id)


ROUTES: list[ControllerRouterHandler] = [
    invite_members, list_channel_invites, revoke_invite, list_invites, accept_invite, reject_invite,
]  # fmt: skip
