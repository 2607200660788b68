"""REST: read and write users."""

from litestar import Response, get, patch, post, put
from litestar.params import JSONBody

from data_plane.dependencies import (
    ANYBODY,
    SERVER,
    USER,
    CallerDependency,
    ShardDependency,
    UserPath,
    require_scope,
)
from data_plane.identity.caller import Caller
from data_plane.identity.tokens.routes import TokensDependency
from data_plane.members.errors import UnknownUsers
from data_plane.query.errors import BadFilter, QueryTooSlow
from data_plane.query.schemas import Query
from data_plane.shard import Shard
from data_plane.users.deactivate import deactivate, reactivate
from data_plane.users.models import User
from data_plane.users.query import query_users
from data_plane.users.repository import UserRepository
from data_plane.users.schemas import PatchUser, PatchUsers, PutUser, UpsertUsers
from data_plane.users.views import QueriedUsers, Users, UserView, user_view
from data_plane.users.write import patch_user, patch_users, put_user, upsert_users
from kernel.errors import Forbidden, NotFound
from kernel.http import answers
from kernel.ids import CUSTOMER_ID

_TAGS = ["Users"]


@post(
    "/v1/users",
    status_code=200,
    operation_id="upsertUsers",
    summary="Create or replace users",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, Users, "The users as they are now, in the order given.")),
)
async def post_users(data: JSONBody[UpsertUsers], caller: CallerDependency, shard: ShardDependency) -> Users:
    """Create or replace 1 to 100 users, all or none. A profile that is so already changes nothing."""
    caller.require_server("users")
    async with shard.unit_of_work(caller.app_id) as uow:
        written = await upsert_users(shard, uow, caller.app_id, data.users, actor=None)
    return {"users": [user_view(item.user) for item in written]}


@patch(
    "/v1/users",
    operation_id="updateUsers",
    summary="Change users",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, Users, "The users as they are now, in the order given."), errors=(UnknownUsers,)),
)
async def patch_many(data: JSONBody[PatchUsers], caller: CallerDependency, shard: ShardDependency) -> Users:
    """Change some fields of 1 to 100 users, all or none. What is so already is no change."""
    caller.require_server("users")
    async with shard.unit_of_work(caller.app_id) as uow:
        users = await patch_users(shard, uow, caller.app_id, data.users, actor=None)
    return {"users": [user_view(user) for user in users]}


@post(
    "/v1/users/{user_id:str}/deactivate",
    status_code=200,
    operation_id="deactivateUser",
    summary="Deactivate a user",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, UserView, "The user as it is now."), errors=(NotFound,)),
)
async def post_deactivate(
    user_id: UserPath, caller: CallerDependency, shard: ShardDependency, tokens: TokensDependency
) -> UserView:
    """Take a user out of service: its tokens are revoked, its sockets closed, it gets no new ones and sends nothing.

    What it wrote, and where it is a member, stays.
    """
    caller.require_server("users")
    async with shard.unit_of_work(caller.app_id) as uow:
        user, valid_after = await deactivate(shard, uow, caller.app_id, user_id)
    if valid_after is not None:
        tokens.announce(caller.app_id, user_id, valid_after)
    return user_view(user)


@post(
    "/v1/users/{user_id:str}/reactivate",
    status_code=200,
    operation_id="reactivateUser",
    summary="Reactivate a user",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, UserView, "The user as it is now."), errors=(NotFound,)),
)
async def post_reactivate(user_id: UserPath, caller: CallerDependency, shard: ShardDependency) -> UserView:
    """Serve a deactivated user again. Old tokens stay revoked: make new ones."""
    caller.require_server("users")
    async with shard.unit_of_work(caller.app_id) as uow:
        return user_view(await reactivate(shard, uow, caller.app_id, user_id))


@put(
    "/v1/users/{user_id:str}",
    operation_id="putUser",
    summary="Create or replace a user",
    tags=_TAGS,
    security=SERVER,
    opt=answers((201, UserView, "The user was made now."), (200, UserView, "The user as it is now.")),
)
async def put_one(
    user_id: UserPath, data: JSONBody[PutUser], caller: CallerDependency, shard: ShardDependency
) -> Response[UserView]:
    """Create or replace one user: the whole profile; what is left out is empty afterwards."""
    caller.require_server("users")
    async with shard.unit_of_work(caller.app_id) as uow:
        written = await put_user(shard, uow, caller.app_id, user_id, data, actor=None)
    return Response(user_view(written.user), status_code=201 if written.created else 200)


@patch(
    "/v1/users/{user_id:str}",
    operation_id="updateUser",
    summary="Change a user",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, UserView, "The user as it is now."), errors=(NotFound,)),
)
async def patch_one(
    user_id: UserPath, data: JSONBody[PatchUser], caller: CallerDependency, shard: ShardDependency
) -> UserView:
    """Change some fields of a user: a server of any, a user of itself, where only a server gives roles."""
    return await _patch(user_id, data, caller, shard)


@patch(
    "/v1/users/me",
    operation_id="updateMe",
    summary="Change the own profile",
    tags=_TAGS,
    security=USER,
    opt=answers((200, UserView, "The user as it is now.")),
)
async def patch_me(data: JSONBody[PatchUser], caller: CallerDependency, shard: ShardDependency) -> UserView:
    """Change some fields of the caller's own profile."""
    return await _patch(_own_id(caller), data, caller, shard)


@get(
    "/v1/users/{user_id:str}",
    operation_id="getUser",
    summary="Get a user",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, UserView, "The user."), errors=(NotFound,)),
)
async def get_one(user_id: UserPath, caller: CallerDependency, shard: ShardDependency) -> UserView:
    """The public profile of any user of the app."""
    return user_view(await _read(caller, shard, user_id))


@get(
    "/v1/users/me",
    operation_id="getMe",
    summary="Get the own profile",
    tags=_TAGS,
    security=USER,
    opt=answers((200, UserView, "The user.")),
)
async def get_me(caller: CallerDependency, shard: ShardDependency) -> UserView:
    """The profile of the user whose token this is."""
    return user_view(await _read(caller, shard, _own_id(caller)))


@post(
    "/v1/users/query",
    status_code=200,
    operation_id="queryUsers",
    summary="Query users",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, QueriedUsers, "A page of users."), errors=(BadFilter, QueryTooSlow), in_read_only=True),
)
async def post_query(data: JSONBody[Query], caller: CallerDependency, shard: ShardDependency) -> QueriedUsers:
    """The users that match a filter. Deactivated ones are left out unless it speaks of `deactivated_at`.

    See the guide on queries.
    """
    require_scope(caller, "users")
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        return await query_users(uow, caller, data)


async def _patch(user_id: str, data: PatchUser, caller: Caller, shard: Shard) -> UserView:
    if caller.is_server:
        caller.require_server("users")
    elif user_id != caller.user_id:
        raise Forbidden("A user changes its own profile only.")
    elif isinstance(data.role, str):
        raise Forbidden("Only the app's server gives roles.", field="role")
    async with shard.unit_of_work(caller.app_id) as uow:
        user = await patch_user(shard, uow, caller.app_id, user_id, data, actor=caller.user_id)
    return user_view(user)


async def _read(caller: Caller, shard: Shard, user_id: str) -> User:
    user = None
    if CUSTOMER_ID.fullmatch(user_id):
        async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
            user = await UserRepository(uow.session, caller.app_id).get(user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


def _own_id(caller: Caller) -> str:
    if caller.user_id is None:
        raise Forbidden("`me` is the user of a token; with a secret key, name the user.")
    return caller.user_id


ROUTES = [
    post_users,
    patch_many,
    post_query,
    post_deactivate,
    post_reactivate,
    put_one,
    patch_one,
    patch_me,
    get_one,
    get_me,
]
