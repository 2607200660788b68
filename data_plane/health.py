"""`/healthz`, `/readyz`, `/metrics` of a node."""

from collections.abc import Callable

from litestar import Response, get
from litestar.types import ControllerRouterHandler
from prometheus_client import CollectorRegistry

from kernel.metrics import CONTENT_TYPE_LATEST, render


def health_routes(registry: CollectorRegistry, problem: Callable[[], str | None]) -> list[ControllerRouterHandler]:
    """Alive; fit for traffic; measured. `problem` says why the node should get no traffic, null when it should."""

    @get("/healthz", sync_to_thread=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @get("/readyz", sync_to_thread=False)
    def readyz() -> Response[dict[str, str]]:
        reason = problem()
        if reason is None:
            return Response({"status": "ready"})
        return Response({"status": "not ready", "reason": reason}, status_code=503, headers={"retry-after": "1"})

    @get("/metrics", sync_to_thread=False)
    def metrics() -> Response[bytes]:
        return Response(render(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return [healthz, readyz, metrics]
