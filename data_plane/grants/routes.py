"""`/v1/channel-types` and `/v1/roles`: for the customer's server, under the scope `grants`."""

from typing import Annotated

from litestar import delete, get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, SkipValidation
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import SERVER, CallerDependency, ShardDependency
from data_plane.grants.errors import RoleInUse, TooManyDefined, TypeInUse
from data_plane.grants.schemas import PutRole, PutType
from data_plane.grants.service import GrantService, no_role, no_type
from data_plane.grants.views import ChannelTypes, ChannelTypeView, Roles, RoleView, role_view, type_view
from kernel.errors import NotFound
from kernel.http import answers

SCOPE = "grants"
_TAGS = ["Channel types and roles"]
_NAMED = r"^[a-z0-9_-]{1,32}\Z"
Grants = NamedDependency[SkipValidation[GrantService]]
"""The shard's grant service, as `grants`."""
_Type = Annotated[str, PathParameter(pattern=_NAMED, description="The type's name.")]
_Role = Annotated[str, PathParameter(pattern=_NAMED, description="The role's name.")]


@get(
    "/v1/channel-types",
    operation_id="listChannelTypes",
    summary="List channel types",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, ChannelTypes, "All of them; an app has at most 30.")),
)
async def list_types(caller: CallerDependency, shard: ShardDependency, grants: Grants) -> ChannelTypes:
    """Every channel type of the app, the built-in ones too, with what every role may do there."""
    caller.require_server(SCOPE)
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        table = await grants.table(uow, caller)
    return {"channel_types": [type_view(table, table.types[name]) for name in sorted(table.types)]}


@get(
    "/v1/channel-types/{name:str}",
    operation_id="getChannelType",
    summary="Get a channel type",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, ChannelTypeView, "The type."), errors=(NotFound,)),
)
async def get_type(name: _Type, caller: CallerDependency, shard: ShardDependency, grants: Grants) -> ChannelTypeView:
    """One channel type with what every role may do there."""
    caller.require_server(SCOPE)
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        table = await grants.table(uow, caller)
    if name not in table.types:
        raise no_type()
    return type_view(table, table.types[name])


@put(
    "/v1/channel-types/{name:str}",
    operation_id="putChannelType",
    summary="Define a channel type",
    tags=_TAGS,
    security=SERVER,
    opt=answers(
        (201, ChannelTypeView, "The type is new."),
        (200, ChannelTypeView, "The type as it is now."),
        errors=(TooManyDefined,),
    ),
)
async def put_type(
    name: _Type, data: JSONBody[PutType], caller: CallerDependency, shard: ShardDependency, grants: Grants
) -> Response[ChannelTypeView]:
    """Make a channel type, or say anew what roles may do in one, a built-in one included. In effect at once.

    What an earlier `PUT` said and this one leaves out is as it was by default.
    """
    caller.require_server(SCOPE)
    async with shard.unit_of_work(caller.app_id) as uow:
        view, fresh = await grants.put_type(uow, caller, name, data)
    return Response(view, status_code=201 if fresh else 200)


@delete(
    "/v1/channel-types/{name:str}",
    operation_id="deleteChannelType",
    summary="Delete a channel type",
    tags=_TAGS,
    security=SERVER,
    opt=answers((204, None, "The type is gone; a built-in one is as it was made."), errors=(NotFound, TypeInUse)),
)
async def delete_type(name: _Type, caller: CallerDependency, shard: ShardDependency, grants: Grants) -> None:
    """Delete a channel type that no channel has. A built-in one is not deleted, but as it was made."""
    caller.require_server(SCOPE)
    async with shard.unit_of_work(caller.app_id) as uow:
        await grants.delete_type(uow, caller, name)


@get(
    "/v1/roles",
    operation_id="listRoles",
    summary="List roles",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, Roles, "All of them; an app has at most 32.")),
)
async def list_roles(caller: CallerDependency, shard: ShardDependency, grants: Grants) -> Roles:
    """Every role of the app, the built-in ones too."""
    caller.require_server(SCOPE)
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        table = await grants.table(uow, caller)
    return {"roles": [role_view(table.roles[name]) for name in sorted(table.roles)]}


@get(
    "/v1/roles/{name:str}",
    operation_id="getRole",
    summary="Get a role",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, RoleView, "The role."), errors=(NotFound,)),
)
async def get_role(name: _Role, caller: CallerDependency, shard: ShardDependency, grants: Grants) -> RoleView:
    """One role."""
    caller.require_server(SCOPE)
    async with shard.unit_of_work(caller.app_id, snapshot=True) as uow:
        table = await grants.table(uow, caller)
    if name not in table.roles:
        raise no_role()
    return role_view(table.roles[name])


@put(
    "/v1/roles/{name:str}",
    operation_id="putRole",
    summary="Define a role",
    tags=_TAGS,
    security=SERVER,
    opt=answers(
        (201, RoleView, "The role is new."),
        (200, RoleView, "The role as it is now."),
        errors=(RoleInUse, TooManyDefined),
    ),
)
async def put_role(
    name: _Role, data: JSONBody[PutRole], caller: CallerDependency, shard: ShardDependency, grants: Grants
) -> Response[RoleView]:
    """Make a role, or say anew what one may do in every type that says nothing else of it. In effect at once."""
    caller.require_server(SCOPE)
    async with shard.unit_of_work(caller.app_id) as uow:
        view, fresh = await grants.put_role(uow, caller, name, data)
    return Response(view, status_code=201 if fresh else 200)


@delete(
    "/v1/roles/{name:str}",
    operation_id="deleteRole",
    summary="Delete a role",
    tags=_TAGS,
    security=SERVER,
    opt=answers((204, None, "The role is gone; a built-in one is as it was made."), errors=(NotFound, RoleInUse)),
)
async def delete_role(name: _Role, caller: CallerDependency, shard: ShardDependency, grants: Grants) -> None:
    """Delete a role that nobody has. A built-in one is not deleted, but as it was made."""
    caller.require_server(SCOPE)
    async with shard.unit_of_work(caller.app_id) as uow:
        await grants.delete_role(uow, caller, name)


ROUTES: list[ControllerRouterHandler] = [
    list_types, get_type, put_type, delete_type, list_roles, get_role, put_role, delete_role,
]  # fmt: skip
