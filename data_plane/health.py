"""`/healthz`, `/readyz`, `/metrics` of a node."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, get
from litestar.types import ControllerRouterHandler

from kernel.metrics import CONTENT_TYPE_LATEST

MetricsPage = Callable[[str | None], Awaitable[bytes]]
"""The page for whoever asks; another worker proves itself by the hop header, whose value this takes."""


def health_routes(page: MetricsPage, problem: Callable[[], str | None]) -> list[ControllerRouterHandler]:
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

    @get("/metrics")
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        content = await page(request.headers.get("x-natter-hop"))
        return Response(content, headers={"content-type": CONTENT_TYPE_LATEST})

    return [healthz, readyz, metrics]
