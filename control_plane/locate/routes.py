"""`GET /v1/locate`, public."""

from typing import Annotated

from litestar import Response, get
from litestar.params import QueryParameter

from control_plane.dependencies import DepsDependency
from control_plane.locate.service import LocationView, locate
from kernel.errors import NotFound, Unavailable
from kernel.gcra import rate
from kernel.http import answers
from kernel.http.any_origin import readable_by_any_page
from kernel.http.ratelimit import limited_by_address


@get(
    "/v1/locate",
    operation_id="locate",
    summary="Find an app",
    tags=["Locate"],
    security=[{}],
    middleware=[readable_by_any_page, limited_by_address("locate.ip", rate(50, 1_000))],
    opt=answers((200, LocationView, "Where the app is served."), errors=(NotFound,)),
)
async def locate_app(
    deps: DepsDependency,
    key: Annotated[
        str,
        QueryParameter(min_length=1, max_length=100, description="The app's publishable key, `pk_…`."),
    ],
) -> Response[LocationView]:
    """Where the app that a publishable key names is served, answered by the control plane to anybody.

    503 while none of its nodes is live. Ask again after each failed attempt to connect: apps can move.
    """
    async with deps.database.unit_of_work(read_only=True) as uow:
        found = await locate(uow.session, deps.settings, key, now=deps.clock.now())
    if found.url is None:
        raise Unavailable("No node of the app's shard is reachable right now; try again soon.", retry_after=2)
    body = LocationView(app_id=found.app_id, url=found.url, shard=found.shard, environment=found.environment)
    # Nodes come and go: a cached answer would send clients to one that has left.
    return Response(body, headers={"cache-control": "no-store"})
