"""`/v1/channels`."""

from typing import Annotated, Any, Final, Literal

from litestar import Request, Response, delete, get, patch, post
from litestar.params import JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from data_plane.channels.create import ChannelCreation
from data_plane.channels.errors import ChannelExists
from data_plane.channels.kept import Kept
from data_plane.channels.query import ChannelQuery
from data_plane.channels.schemas import CreateChannel, QueryChannels, TruncateChannel, UpdateChannel
from data_plane.channels.service import ChannelService
from data_plane.channels.truncate import Truncation
from data_plane.channels.views import ChannelPage, ChannelView, QueriedChannels
from data_plane.dependencies import (
    ANYBODY,
    READERS,
    CallerDependency,
    ChannelPath,
    Cursor,
    Limit,
    OptionalUser,
    ReaderDependency,
    ShardDependency,
    require_scope,
)
from data_plane.grants.errors import PermissionMissing, RoleTooHigh
from data_plane.idempotency import Answer, IdempotencyConflict, IdempotencyKey, once, request_key
from data_plane.identity.errors import UserDeactivated
from data_plane.members.errors import UnknownUsers
from data_plane.query.errors import BadFilter, QueryTooSlow
from data_plane.tenancy.errors import QuotaExceeded
from kernel.http import answers

_TAGS = ["Channels"]
_Wanted = Annotated[
    Literal["true", "false", "any"] | None,
    QueryParameter(description="Whether the user has arranged them so, or `any`."),
]
_WANTED: Final[dict[str, bool | None]] = {"true": True, "false": False, "any": None}


@post(
    "/v1/channels",
    operation_id="createChannel",
    summary="Create a channel",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (201, ChannelView, "The channel was made now."),
        (200, ChannelView, "The same request made it before, or it is distinct and was there; as it is now."),
        errors=(ChannelExists, PermissionMissing, UnknownUsers, IdempotencyConflict),
    ),
)
async def create_channel(
    request: Request[Any, Any, Any],
    data: JSONBody[CreateChannel],
    caller: CallerDependency,
    shard: ShardDependency,
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Create a channel with its first members. A user gets the type's creator role, `owner` in most; a server names
    a creator with `user_id`, or nobody. A user needs `channel.create` in the type by its app role.

    Choose the `id` yourself and the request is safe to send again: the very same one is answered with the channel.
    Deleted channels keep their id.

    A `distinct` channel is the one of its type with exactly these members: whoever asks again, on any node, gets it
    with 200, whatever else the request says. A `direct` one without `id` is distinct.
    """
    require_scope(caller, "channels")
    key = await request_key(request, idempotency_key)
    async with shard.unit_of_work(caller.app_id) as uow:

        async def work() -> Answer:
            view, fresh = await ChannelCreation(shard).create(uow, caller, data)
            return Answer(201 if fresh else 200, view)

        answer = await once(uow, caller, key, shard.clock.now(), work)
    return answer.response()


@get(
    "/v1/channels",
    operation_id="listChannels",
    summary="List channels",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ChannelPage, "A page of channels.")),
)
async def list_channels(
    caller: CallerDependency,
    shard: ShardDependency,
    limit: Limit = 25,
    cursor: Cursor = None,
    user_id: OptionalUser = None,
    archived: _Wanted = None,
    hidden: _Wanted = None,
    muted: _Wanted = None,
    pinned: _Wanted = None,
) -> ChannelPage:
    """The caller's channels by id; for a server those of `user_id`, or all of the app.

    By how the user has arranged them: `true`, `false` or `any`. A user who does not say gets neither archived nor
    hidden ones. With `pinned=true` they come in the order of the pins.
    """
    require_scope(caller, "channels")
    usual = "any" if caller.is_server else "false"
    kept = Kept(_WANTED[archived or usual], _WANTED[hidden or usual], _WANTED[muted or "any"], _WANTED[pinned or "any"])
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        return await ChannelService(shard).page(uow, caller, user_id=user_id, limit=limit, cursor=cursor, kept=kept)


@post(
    "/v1/channels/query",
    status_code=200,
    operation_id="queryChannels",
    summary="Query channels",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, QueriedChannels, "A page of channels."), errors=(BadFilter, QueryTooSlow), in_read_only=True),
)
async def query_channels(
    data: JSONBody[QueryChannels], caller: CallerDependency, shard: ShardDependency
) -> QueriedChannels:
    """The caller's channels that match a filter; for a server those of `user_id`, or all of the app.

    A user finds its own channels, and livestreams when it asks for them by `id` or by `type`. See the guide on queries.
    """
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        return await ChannelQuery(shard).run(uow, caller, data)


@get(
    "/v1/channels/{channel_id:str}",
    operation_id="getChannel",
    summary="Get a channel",
    tags=_TAGS,
    security=READERS,
    opt=answers((200, ChannelView, "The channel.")),
)
async def get_channel(channel_id: ChannelPath, reader: ReaderDependency, shard: ShardDependency) -> ChannelView:
    """One channel, as you see it."""
    require_scope(reader, "channels")
    async with shard.unit_of_work(reader.app_id, read_only=True) as uow:
        return await ChannelService(shard).get(uow, reader, channel_id)


@patch(
    "/v1/channels/{channel_id:str}",
    operation_id="updateChannel",
    summary="Change a channel",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, ChannelView, "The channel as it is now."), errors=(PermissionMissing, RoleTooHigh)),
)
async def update_channel(
    channel_id: ChannelPath, data: JSONBody[UpdateChannel], caller: CallerDependency, shard: ShardDependency
) -> ChannelView:
    """Change name, image, custom data, `frozen`, what who joins from now on sees of before (`history`), the pace
    (`slow_mode`), or what roles may do here (`grants`). What is left out stays; the same change again changes nothing.

    Needs `channel.update`, `channel.freeze`, `channel.slow` or `channel.grants`, by what is given.
    """
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        return await ChannelService(shard).update(uow, caller, channel_id, data)


@post(
    "/v1/channels/{channel_id:str}/truncate",
    status_code=200,
    operation_id="truncateChannel",
    summary="Truncate a channel",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (200, ChannelView, "The channel as it is now."),
        errors=(PermissionMissing, UnknownUsers, UserDeactivated, QuotaExceeded),
    ),
)
async def truncate_channel(
    channel_id: ChannelPath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[TruncateChannel | None] = None,
) -> ChannelView:
    """Take messages away for everybody: all of them, or those before a `seq` or a moment. Members stay, unread counts
    are of what is left, and everybody gets `channel.truncated`.

    Your server's history ends there too. Without `hard` the content stays in the database, for you to ask of it there;
    with it the content is wiped within seconds. With `message`, the system's word on it is what follows, in the same
    transaction. Needs `channel.truncate`.
    """
    require_scope(caller, "channels")
    wish = data or TruncateChannel()
    # A message is the flush's to write, whose function request-time connections may not call.
    alone = wish.message is None
    async with shard.unit_of_work(caller.app_id) if alone else shard.system.unit_of_work(str(caller.app_id)) as uow:
        return await Truncation(shard).truncate(uow, caller, channel_id, wish)


@delete(
    "/v1/channels/{channel_id:str}",
    operation_id="deleteChannel",
    summary="Delete a channel",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((204, None, "The channel is gone."), errors=(PermissionMissing,)),
)
async def delete_channel(channel_id: ChannelPath, caller: CallerDependency, shard: ShardDependency) -> None:
    """Delete a channel for everybody, with its messages. Its id stays taken.

    Needs `channel.delete`.
    """
    require_scope(caller, "channels")
    async with shard.unit_of_work(caller.app_id) as uow:
        await ChannelService(shard).delete(uow, caller, channel_id)


ROUTES: list[ControllerRouterHandler] = [
    create_channel,
    list_channels,
    query_channels,
    get_channel,
    update_channel,
    truncate_channel,
    delete_channel,
]
