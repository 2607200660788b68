"""`/v1/indexes`: for the customer's server."""

from typing import Annotated

from litestar import Response, delete, get, put
from litestar.params import JSONBody, PathParameter
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import SERVER, CallerDependency, ShardDependency
from data_plane.indexes.errors import IndexExists, TooManyIndexes
from data_plane.indexes.schemas import PutIndex
from data_plane.indexes.service import MAX_INDEXES, IndexService
from data_plane.indexes.views import Indexes, IndexView, index_view
from data_plane.query.models import IndexedResource
from kernel.errors import InvalidInput, NotFound
from kernel.http import answers

_TAGS = ["Indexes"]
ResourcePath = Annotated[str, PathParameter(pattern=r"^(channels|users)\Z", description="`channels` or `users`.")]
FieldPath = Annotated[
    str,
    PathParameter(
        pattern=r"^custom(\.[A-Za-z0-9_-]{1,64}){1,8}\Z", description="The field as filters name it: `custom.team`."
    ),
]


@put(
    "/v1/indexes/{resource:str}/{field:str}",
    operation_id="putIndex",
    summary="Declare a custom field",
    tags=_TAGS,
    security=SERVER,
    opt=answers(
        (201, IndexView, "The field was declared now; its values are being gathered."),
        (200, IndexView, "It was declared so before."),
        errors=(IndexExists, TooManyIndexes),
    ),
)
async def put_index(
    resource: ResourcePath,
    field: FieldPath,
    data: JSONBody[PutIndex],
    caller: CallerDependency,
    shard: ShardDependency,
) -> Response[IndexView]:
    """Declare a field of `custom`, so that queries filter and sort by it at any size.

    Values of another type count as absent. While the index is `building`, queries answer without it.
    """
    caller.require_server("indexes")
    async with shard.unit_of_work(caller.app_id) as uow:
        row, fresh = await IndexService(shard, caller.app_id).declare(
            uow, _resource(resource), field, data.type, most=caller.app.features.get("indexes", MAX_INDEXES)
        )
    return Response(index_view(row), status_code=201 if fresh else 200)


@get(
    "/v1/indexes",
    operation_id="listIndexes",
    summary="List declared fields",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, Indexes, "Every declared field.")),
)
async def list_indexes(caller: CallerDependency, shard: ShardDependency) -> Indexes:
    """Every declared field of the app."""
    caller.require_server("indexes")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return {"indexes": [index_view(row) for row in await IndexService(shard, caller.app_id).all(uow)]}


@get(
    "/v1/indexes/{resource:str}/{field:str}",
    operation_id="getIndex",
    summary="Get a declared field",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, IndexView, "The declaration."), errors=(NotFound,)),
)
async def get_index(
    resource: ResourcePath, field: FieldPath, caller: CallerDependency, shard: ShardDependency
) -> IndexView:
    """One declared field, and whether it is ready."""
    caller.require_server("indexes")
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        return index_view(await IndexService(shard, caller.app_id).get(uow, _resource(resource), field))


@delete(
    "/v1/indexes/{resource:str}/{field:str}",
    operation_id="deleteIndex",
    summary="Drop a declared field",
    tags=_TAGS,
    security=SERVER,
    opt=answers((204, None, "The field is not declared, whether it was before or not.")),
)
async def delete_index(
    resource: ResourcePath, field: FieldPath, caller: CallerDependency, shard: ShardDependency
) -> None:
    """Declare a field no more. Nothing of `custom` itself changes."""
    caller.require_server("indexes")
    async with shard.unit_of_work(caller.app_id) as uow:
        await IndexService(shard, caller.app_id).drop(uow, _resource(resource), field)


def _resource(text: str) -> IndexedResource:
    if text == "channels":
        return "channels"
    if text == "users":
        return "users"
    raise InvalidInput("`resource` must be `channels` or `users`.", field="resource")


ROUTES: list[ControllerRouterHandler] = [put_index, list_indexes, get_index, delete_index]
