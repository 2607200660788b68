"""Every feature's routes and socket events, in one list each: what the apps are made of and what sweeps go through."""

from collections.abc import Callable

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

import data_plane.blocks.budget
import data_plane.blocks.events
import data_plane.blocks.routes
import data_plane.channels.budget
import data_plane.channels.events
import data_plane.channels.routes
import data_plane.custom_events.budget
import data_plane.custom_events.events
import data_plane.custom_events.routes
import data_plane.custom_events.socket
import data_plane.gateway.budget
import data_plane.gateway.definitions
import data_plane.grants.budget
import data_plane.grants.events
import data_plane.grants.routes
import data_plane.guests.budget
import data_plane.guests.routes
import data_plane.identity.tokens.budget
import data_plane.identity.tokens.routes
import data_plane.indexes.budget
import data_plane.indexes.routes
import data_plane.invites.budget
import data_plane.invites.events
import data_plane.invites.routes
import data_plane.limits.budget
import data_plane.limits.routes
import data_plane.members.budget
import data_plane.members.events
import data_plane.members.routes
import data_plane.members.socket
import data_plane.messages.budget
import data_plane.messages.events
import data_plane.messages.http
import data_plane.messages.routes
import data_plane.pins.budget
import data_plane.pins.events
import data_plane.pins.routes
import data_plane.pins.socket
import data_plane.presence.budget
import data_plane.presence.events
import data_plane.presence.routes
import data_plane.reactions.budget
import data_plane.reactions.events
import data_plane.reactions.routes
import data_plane.reactions.socket
import data_plane.receipts.budget
import data_plane.receipts.events
import data_plane.receipts.routes
import data_plane.receipts.socket
import data_plane.reference.budget
import data_plane.sync.budget
import data_plane.sync.events
import data_plane.sync.routes
import data_plane.threads.budget
import data_plane.threads.events
import data_plane.threads.routes
import data_plane.threads.socket
import data_plane.typing.budget
import data_plane.typing.events
import data_plane.users.budget
import data_plane.users.events
import data_plane.users.routes
from data_plane.custom_events.service import CustomEvents
from data_plane.events import ClientEvent, ServerEvent
from data_plane.gateway.routes import SocketRoute
from data_plane.grants.service import GrantService
from data_plane.guests.service import Guests
from data_plane.health import MetricsPage, health_routes
from data_plane.identity.activity import ActivityTracker
from data_plane.identity.authenticate import Authenticator, callers_first, provide_caller, provide_reader
from data_plane.identity.tokens.service import TokenService
from data_plane.limits.limiter import Limiter
from data_plane.limits.rest import LimitHeaders, limited
from data_plane.messages import send, socket
from data_plane.messages.direct import DirectHistory
from data_plane.messages.send import SendService
from data_plane.presence.service import PresenceService
from data_plane.receipts.service import ReceiptService
from data_plane.reference import asyncapi_document, openapi_document
from data_plane.shard import Shard
from data_plane.sync.service import SyncService
from kernel.http import build_app
from kernel.http.document import ASYNCAPI, OPENAPI, document_route

REST: tuple[ControllerRouterHandler, ...] = (
    *data_plane.identity.tokens.routes.ROUTES,
    *data_plane.guests.routes.ROUTES,
    *data_plane.users.routes.ROUTES,
    *data_plane.presence.routes.ROUTES,
    *data_plane.blocks.routes.ROUTES,
    *data_plane.channels.routes.ROUTES,
    *data_plane.members.routes.ROUTES,
    *data_plane.invites.routes.ROUTES,
    *data_plane.grants.routes.ROUTES,
    *data_plane.messages.routes.ROUTES,
    *data_plane.messages.http.ROUTES,
    *data_plane.threads.routes.ROUTES,
    *data_plane.reactions.routes.ROUTES,
    *data_plane.pins.routes.ROUTES,
    *data_plane.receipts.routes.ROUTES,
    *data_plane.custom_events.routes.ROUTES,
    *data_plane.sync.routes.ROUTES,
    *data_plane.limits.routes.ROUTES,
    *data_plane.indexes.routes.ROUTES,
)
EVENTS: tuple[ServerEvent, ...] = (
    *data_plane.messages.events.EVENTS,
    *data_plane.threads.events.EVENTS,
    *data_plane.reactions.events.EVENTS,
    *data_plane.pins.events.EVENTS,
    *data_plane.receipts.events.EVENTS,
    *data_plane.channels.events.EVENTS,
    *data_plane.members.events.EVENTS,
    *data_plane.invites.events.EVENTS,
    *data_plane.users.events.EVENTS,
    *data_plane.blocks.events.EVENTS,
    *data_plane.grants.events.EVENTS,
    *data_plane.presence.events.EVENTS,
    *data_plane.typing.events.EVENTS,
    *data_plane.custom_events.events.EVENTS,
    *data_plane.gateway.definitions.EVENTS,
)
"""What clients get."""
CALLS: tuple[ClientEvent, ...] = (
    *data_plane.messages.events.CALLS,
    *data_plane.threads.events.CALLS,
    *data_plane.reactions.events.CALLS,
    *data_plane.pins.events.CALLS,
    *data_plane.receipts.events.CALLS,
    *data_plane.presence.events.CALLS,
    *data_plane.members.events.CALLS,
    *data_plane.typing.events.CALLS,
    *data_plane.custom_events.events.CALLS,
    *data_plane.sync.events.CALLS,
    *data_plane.gateway.definitions.CALLS,
)
"""What clients may send."""


STATEMENTS: dict[str, int] = {
    **data_plane.blocks.budget.STATEMENTS,
    **data_plane.channels.budget.STATEMENTS,
    **data_plane.custom_events.budget.STATEMENTS,
    **data_plane.gateway.budget.STATEMENTS,
    **data_plane.grants.budget.STATEMENTS,
    **data_plane.guests.budget.STATEMENTS,
    **data_plane.identity.tokens.budget.STATEMENTS,
    **data_plane.indexes.budget.STATEMENTS,
    **data_plane.invites.budget.STATEMENTS,
    **data_plane.limits.budget.STATEMENTS,
    **data_plane.members.budget.STATEMENTS,
    **data_plane.messages.budget.STATEMENTS,
    **data_plane.pins.budget.STATEMENTS,
    **data_plane.presence.budget.STATEMENTS,
    **data_plane.reactions.budget.STATEMENTS,
    **data_plane.receipts.budget.STATEMENTS,
    **data_plane.reference.budget.STATEMENTS,
    **data_plane.sync.budget.STATEMENTS,
    **data_plane.threads.budget.STATEMENTS,
    **data_plane.typing.budget.STATEMENTS,
    **data_plane.users.budget.STATEMENTS,
}
"""The most SQL statements that an operation or socket event may need, whatever the size of what it is about."""


def socket_routes(
    shard: Shard, sender: SendService, sync: SyncService, receipts: ReceiptService, custom_events: CustomEvents
) -> list[SocketRoute]:
    """The features' socket events; those about the connection itself are the gateway's."""
    return [
        send.socket_route(sender),
        *socket.socket_routes(shard),
        *data_plane.receipts.socket.socket_routes(receipts),
        *data_plane.threads.socket.socket_routes(shard),
        *data_plane.reactions.socket.socket_routes(shard),
        *data_plane.pins.socket.socket_routes(shard),
        *data_plane.members.socket.socket_routes(shard),
        *data_plane.custom_events.socket.socket_routes(custom_events),
        data_plane.sync.routes.socket_route(sync),
    ]


def rest_app(
    *,
    shard: Shard,
    authenticator: Authenticator,
    activity: ActivityTracker,
    tokens: TokenService,
    sender: SendService,
    sync: SyncService,
    limiter: Limiter,
    grants: GrantService,
    presence: PresenceService,
    receipts: ReceiptService,
    custom_events: CustomEvents,
    metrics: MetricsPage,
    problem: Callable[[], str | None],
) -> Litestar:
    """The REST side of a node. CORS is open because credentials are bearer tokens, never cookies; whether a page's
    origin may use an app is checked with the caller."""
    cors = CORSConfig(
        allow_origins=["*"],
        allow_credentials=False,
        allow_headers=["authorization", "content-type", "idempotency-key", "x-request-id"],
        expose_headers=["etag", "idempotent-replayed", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"],
        max_age=600,
    )
    app = build_app(
        routes=[
            *REST,
            document_route(OPENAPI, openapi_document()),
            document_route(ASYNCAPI, asyncapi_document()),
            *health_routes(metrics, problem),
        ],
        dependencies={
            "shard": Provide(lambda: shard, sync_to_thread=False),
            "authenticator": Provide(lambda: authenticator, sync_to_thread=False),
            "activity": Provide(lambda: activity, sync_to_thread=False),
            "tokens": Provide(lambda: tokens, sync_to_thread=False),
            "send_service": Provide(lambda: sender, sync_to_thread=False),
            "sync_service": Provide(lambda: sync, sync_to_thread=False),
            "limiter": Provide(lambda: limiter, sync_to_thread=False),
            "grants": Provide(lambda: grants, sync_to_thread=False),
            "presence": Provide(lambda: presence, sync_to_thread=False),
            "receipts": Provide(lambda: receipts, sync_to_thread=False),
            "guests": Provide(lambda: Guests(shard, authenticator, limiter), sync_to_thread=False),
            "custom_events": Provide(lambda: custom_events, sync_to_thread=False),
            "caller": Provide(provide_caller),
            "reader": Provide(provide_reader),
        },
        clock=shard.clock,
        ids=shard.ids,
        guards=[limited(limiter, callers_first(authenticator))],
        cors=cors,
        shortcut=lambda app: DirectHistory(app, shard, authenticator, activity, limiter, cors),
    )
    app.asgi_handler = LimitHeaders(app.asgi_handler, limiter)
    return app
