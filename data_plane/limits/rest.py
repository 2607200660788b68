"""Limits at the edge of REST: a guard that charges a request, and headers on every answer."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ASGIApp, Guard, Message, Receive, Scope, Send

from data_plane.identity.authenticate import Connection, recognised
from data_plane.identity.caller import AnonymousCaller, Reader
from data_plane.limits.limiter import Bucket, Limiter
from data_plane.limits.policies import ANONYMOUS, ANONYMOUS_IP, OPERATIONS, REQUESTS, Group
from kernel.errors import NatterError, RateLimited
from kernel.gcra import SECOND, seconds
from kernel.http.ratelimit import Item, address_of, limit_headers

_JUDGED: Final = "natter.limits"
"""Where a request keeps the buckets that it was judged by."""
_REFUSAL: Final = "natter.limits.refusal"
_TURN: Final = "natter.limits.turn"
"""Where a read keeps the app whose turn it is."""
FOR_OPERATORS: Final = ("/healthz", "/readyz", "/metrics")
"""Paths that nobody is counted at."""


Recognise = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


def limited(limiter: Limiter, recognise: Recognise) -> Guard:
    """A Litestar guard: `recognise` the caller, then charge the request. Raises `RateLimited`.

    Whoever is not recognised is charged by address, and hears that a credential is wrong only within that limit.
    """

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        scope = connection.scope
        if scope["path"] in FOR_OPERATORS:
            return
        group = OPERATIONS.get(str(getattr(handler, "operation_id", "")), REQUESTS)
        try:
            await recognise(connection, handler)
        except NatterError:
            await charge_stranger(limiter, scope)
            raise
        reader = recognised(connection)
        if reader is not None:
            await charge_reader(limiter, scope, reader, group)
        else:
            await charge_stranger(limiter, scope, group)

    return guard


async def charge_reader(limiter: Limiter, scope: Scope, reader: Reader, group: Group = REQUESTS) -> None:
    """Charge a request to whose it is, and keep for the headers where that left it. Raises `RateLimited`.

    What only reads waits for its app's turn then, which lasts until the answer has left."""
    if isinstance(reader, AnonymousCaller):
        await _charge(limiter, scope, limiter.visitor_buckets(reader.app, reader.address))
    else:
        await _charge(limiter, scope, limiter.buckets(group, reader.app, reader.user_id))
    if scope["type"] == ScopeType.HTTP and scope["method"] == "GET" and await limiter.turns.enter(reader.app_id):
        scope["state"][_TURN] = reader.app_id


async def charge_stranger(limiter: Limiter, scope: Scope, group: Group = ANONYMOUS) -> None:
    """The same for a request that shows no credential that is good here: its address pays."""
    address = address_of(scope)
    policies = group.ip or ANONYMOUS.ip
    await _charge(limiter, scope, [limiter.address_bucket(policy, address) for policy in policies])


class LimitHeaders:
    """ASGI middleware around the whole application: every answer tells where the caller stands, and ends its turn.

    Where nobody was recognised, that is where the address stands.
    """

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"] in FOR_OPERATORS:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                if _JUDGED not in state:
                    state[_JUDGED] = [self._limiter.address_bucket(ANONYMOUS_IP, address_of(scope))]
                message["headers"] = [*message["headers"], *self._headers(state)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_limits)
        finally:
            if (app_id := state.pop(_TURN, None)) is not None:
                self._limiter.turns.leave(app_id)

    def _headers(self, state: dict[str, Any]) -> list[tuple[bytes, bytes]]:
        by_user = any(bucket.policy.key in ("user", "ip") for bucket in state[_JUDGED])
        refusal: RateLimited | None = state.get(_REFUSAL)
        items: list[Item] = []
        for bucket in state[_JUDGED]:
            violated = refusal is not None and refusal.data.get("policy") == bucket.policy.name
            # How busy the whole app is, is its server's business; a user hears of it when it stands in the way.
            if by_user and bucket.policy.key == "app" and not violated:
                continue
            standing = self._limiter.standing(bucket)
            left, reset = standing.remaining, standing.reset
            if violated and refusal is not None and refusal.retry_after is not None:
                left, reset = 0, seconds(round(refusal.retry_after * SECOND))
            items.append((bucket.policy.name, bucket.rate, left, reset))
        return limit_headers(items)


async def _charge(limiter: Limiter, scope: Scope, buckets: Sequence[Bucket]) -> None:
    state = scope["state"]
    state[_JUDGED] = buckets
    try:
        await limiter.admit(buckets)
    except RateLimited as refusal:
        state[_REFUSAL] = refusal
        raise
