"""One way to assemble a Litestar application, for both planes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import ASGIApp, ControllerRouterHandler, ExceptionHandler, Guard

from kernel.clock import Clock
from kernel.http.body import MAX_BODY_BYTES, ApiRequest
from kernel.http.linger import Linger
from kernel.http.methods import Methods
from kernel.http.middleware import RequestContext
from kernel.http.problems import render_problem
from kernel.http.url import check_request
from kernel.ids import Ids


class _Application(Litestar):
    """Litestar, whatever else is installed beside it.

    By itself it loads its plugins for Pydantic and attrs when it finds these, for half a second of a process's start.
    No route here knows them, and an image has none of them: tools that tests use bring them.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def build_app(
    *,
    routes: Sequence[ControllerRouterHandler],
    dependencies: Mapping[str, Provide],
    clock: Clock,
    ids: Ids,
    lifespan: Sequence[Callable[[Litestar], Any]] = (),
    cors: CORSConfig | None = None,
    guards: Sequence[Guard] = (),
    render_error: "ExceptionHandler[Any]" = render_problem,
    shortcut: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> Litestar:
    """A Litestar application with problem documents, request ids, body limits and no debug output.

    `guards` see a request before anything of its body or query is looked at. `shortcut` wraps the router, and may
    answer some requests in its place.
    """
    app = _Application(
        route_handlers=list(routes),
        dependencies=dict(dependencies),
        exception_handlers={Exception: render_error},
        guards=list(guards),
        before_request=check_request,
        request_class=ApiRequest,
        request_max_body_size=MAX_BODY_BYTES,
        lifespan=list(lifespan),
        cors_config=cors,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    # Around the router too: it answers paths that nobody serves before any middleware of a route runs.
    app.asgi_handler = RequestContext(shortcut(Methods(Linger(app.asgi_handler), app.routes)), clock, ids)
    return app
