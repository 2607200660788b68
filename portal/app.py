"""The management application: the portal's pages on top of billing and the control plane."""

from litestar import Litestar, Router

from billing import app as billing
from billing.provider import provider_of
from control_plane.context import Deps
from kernel.http.document import OPENAPI, document_route
from portal.billing.paying import PAYMENTS
from portal.billing.paying import PROVIDERS as PAYING
from portal.http.errors import DEPS, render_error
from portal.http.forms import MAX_FORM_BYTES
from portal.http.guard import portal_guard
from portal.http.page import TEMPLATES
from portal.http.policy import Envelope
from portal.http.scope import PROVIDERS
from portal.http.static import STATIC
from portal.http.templates import make_environment
from portal.routes import PAGES

__all__ = ["Deps", "create_app"]


def create_app(deps: Deps) -> Litestar:
    """Everything that the management port serves. `app.state.drain()` ends long polls; call it before stopping."""
    provider = provider_of(deps)
    pages = Router(
        "/",
        route_handlers=PAGES,
        guards=[portal_guard(deps)],
        dependencies={**PROVIDERS, **PAYING},
        request_max_body_size=MAX_FORM_BYTES,
        include_in_schema=False,
    )
    app = billing.create_app(
        deps,
        routes=[pages, STATIC.route(), document_route(OPENAPI, deps.openapi, for_any_page=True)],
        render_error=render_error,
    )
    app.state[TEMPLATES] = make_environment(STATIC)
    app.state[DEPS] = deps
    app.state[PAYMENTS] = provider
    app.asgi_handler = Envelope(app.asgi_handler, https=deps.settings.portal.startswith("https:"))
    return app
