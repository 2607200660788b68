"""Limits at the edge of REST: a guard that charges a request, and headers on every answer.

`RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers-11: lists of structured fields, one
item a policy. `q` and `w` say quota and window: so many units at once, all there again after so many seconds. `r` and
`t` say what remains and in how many seconds all is back, or after a refusal when the same request may come again.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ASGIApp, Guard, Message, Receive, Scope, Send

from data_plane.identity.authenticate import Connection, recognised
from data_plane.limits.limiter import Bucket, Limiter
from data_plane.limits.policies import ANONYMOUS_IP, OPERATIONS, REQUESTS
from kernel.errors import NatterError, RateLimited
from kernel.gcra import SECOND, seconds

_JUDGED: Final = "natter.limits"
"""Where a request keeps the buckets that it was judged by."""
_REFUSAL: Final = "natter.limits.refusal"
FOR_OPERATORS: Final = ("/healthz", "/readyz", "/metrics")
"""Paths that nobody is counted at."""


def subject_of_address(address: str) -> str:
    """Who an address stands for: itself, or of IPv6 the network that one household gets. Any text is somebody."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64] or "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
    return str(parsed)


def limited(limiter: Limiter, recognise: Guard) -> Guard:
    """A Litestar guard: `recognise` the caller, then charge the request. Raises `RateLimited`.

    Whoever is not recognised is charged by address, and hears that a credential is wrong only within that limit.
    """

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        scope = connection.scope
        if scope["path"] in FOR_OPERATORS:
            return
        group = OPERATIONS.get(str(getattr(handler, "operation_id", "")), REQUESTS)
        try:
            recognise(connection, handler)
        except NatterError:
            await _charge(limiter, scope, [limiter.address_bucket(ANONYMOUS_IP, _address(scope))])
            raise
        caller = recognised(connection)
        if caller is not None:
            await _charge(limiter, scope, limiter.buckets(group, caller.app, caller.user_id))
        else:
            address = _address(scope)
            policies = group.ip or (ANONYMOUS_IP,)
            await _charge(limiter, scope, [limiter.address_bucket(policy, address) for policy in policies])

    return guard


class LimitHeaders:
    """ASGI middleware around the whole application: every answer tells where the caller stands.

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
                    state[_JUDGED] = [self._limiter.address_bucket(ANONYMOUS_IP, _address(scope))]
                message["headers"] = [*message["headers"], *self._headers(state)]
            await send(message)

        await self._app(scope, receive, send_with_limits)

    def _headers(self, state: dict[str, Any]) -> list[tuple[bytes, bytes]]:
        by_user = any(bucket.policy.key == "user" for bucket in state[_JUDGED])
        refusal: RateLimited | None = state.get(_REFUSAL)
        policies, standings = [], []
        for bucket in state[_JUDGED]:
            violated = refusal is not None and refusal.data.get("policy") == bucket.policy.name
            # How busy the whole app is, is its server's business; a user hears of it when it stands in the way.
            if by_user and bucket.policy.key == "app" and not violated:
                continue
            standing = self._limiter.standing(bucket)
            left, reset = standing.remaining, standing.reset
            if violated and refusal is not None and refusal.retry_after is not None:
                left, reset = 0, seconds(round(refusal.retry_after * SECOND))
            name = bucket.policy.name
            policies.append(f'"{name}";q={bucket.rate.burst};w={max(1, seconds(bucket.rate.window))}')
            standings.append(f'"{name}";r={left};t={reset}')
        return [
            (b"ratelimit-policy", ", ".join(policies).encode()),
            (b"ratelimit", ", ".join(standings).encode()),
        ]


def note_refusal(state: dict[str, Any], bucket: Bucket, refusal: RateLimited) -> None:
    """A route was refused by a bucket that the guard knows nothing of; the headers shall tell."""
    state[_JUDGED] = [*state.get(_JUDGED, ()), bucket]
    state[_REFUSAL] = refusal


async def _charge(limiter: Limiter, scope: Scope, buckets: Sequence[Bucket]) -> None:
    state = scope["state"]
    state[_JUDGED] = buckets
    try:
        await limiter.admit(buckets)
    except RateLimited as refusal:
        state[_REFUSAL] = refusal
        raise


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return subject_of_address(client[0] if client else "")
