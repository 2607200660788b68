"""`GET /v1/locate`, public."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import QueryParameter

from control_plane.dependencies import DepsDependency
from control_plane.locate.service import locate
from kernel.errors import Unavailable


@get("/v1/locate")
async def locate_app(
    deps: DepsDependency, publishable_key: Annotated[str, QueryParameter(name="key", min_length=1, max_length=100)]
) -> Response[dict[str, Any]]:
    """`{app_id, url, shard, environment}` of the app that `?key=pk_…` names; 503 while none of its nodes is live."""
    async with deps.database.unit_of_work(read_only=True) as uow:
        found = await locate(uow.session, deps.settings, publishable_key, now=deps.clock.now())
    if found.url is None:
        raise Unavailable("No node of the app's shard is reachable right now; try again soon.", retry_after=2)
    body = {"app_id": found.app_id, "url": found.url, "shard": found.shard, "environment": found.environment}
    # Nodes come and go: a cached answer would send clients to one that has left.
    return Response(body, headers={"cache-control": "no-store"})
