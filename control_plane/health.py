"""Whether the process is up, whether it can work, and its numbers."""

from litestar import Response, get

from control_plane import configuration
from control_plane.dependencies import DepsDependency
from kernel.errors import Unavailable
from kernel.http.problems import database_is_away
from kernel.metrics import CONTENT_TYPE_LATEST, render


@get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/readyz")
async def readyz(deps: DepsDependency) -> dict[str, str]:
    """The database answers too, with the schema in place; 503 otherwise."""
    try:
        async with deps.database.unit_of_work(read_only=True) as uow:
            await configuration.current(uow.session)
    except Exception as error:
        reason = "is not reachable" if database_is_away(error) else "has no control schema; run `natter migrate`"
        raise Unavailable(f"The database {reason}.") from error
    return {"status": "ready"}


@get("/metrics")
async def metrics(deps: DepsDependency) -> Response[bytes]:
    """Prometheus's text form."""
    return Response(render(deps.registry), media_type=CONTENT_TYPE_LATEST)
