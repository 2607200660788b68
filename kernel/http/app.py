"""One way to assemble a Litestar application, for both planes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.types import ASGIApp, ControllerRouterHandler

from kernel.clock import Clock
from kernel.http.body import MAX_BODY_BYTES, refuse_nul
from kernel.http.middleware import RequestContext
from kernel.http.problems import render_problem
from kernel.ids import Ids


def build_app(
    *,
    routes: Sequence[ControllerRouterHandler],
    dependencies: Mapping[str, Provide],
    clock: Clock,
    ids: Ids,
    lifespan: Sequence[Callable[[Litestar], Any]] = (),
    cors: CORSConfig | None = None,
) -> Litestar:
    """A Litestar application with problem documents, request ids, body limits and no debug output."""

    def request_context(app: ASGIApp) -> ASGIApp:
        return RequestContext(app, clock, ids)

    return Litestar(
        route_handlers=list(routes),
        dependencies=dict(dependencies),
        exception_handlers={Exception: render_problem},
        before_request=refuse_nul,
        middleware=[request_context],
        request_max_body_size=MAX_BODY_BYTES,
        lifespan=list(lifespan),
        cors_config=cors,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
