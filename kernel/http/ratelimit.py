"""The header fields of draft-ietf-httpapi-ratelimit-headers-11, and a limit by address for single routes.

Both are lists of structured fields, one item a policy. `RateLimit-Policy` says with `q` and `w` that so many units may
be used at once and are all there again after so many seconds. `RateLimit` says with `r` and `t` what remains, and in
how many seconds all is back; after a refusal, when the same request may come again.
"""

import ipaddress
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from kernel.errors import RateLimited
from kernel.gcra import SECOND, Rate, remaining, seconds, take

_MOST: Final = 10_000
"""Addresses in memory before those are dropped that have nothing to pay off."""

_REFUSED: Final = {b"content-type": b"application/problem+json", b"cache-control": b"no-store"}

Item = tuple[str, Rate, int, int]
"""A policy's name and rate, the units that remain, and the seconds until all are back."""


def limit_headers(items: Iterable[Item]) -> list[tuple[bytes, bytes]]:
    """Both fields."""
    policies, standings = [], []
    for name, limit, left, reset in items:
        policies.append(_policy(name, limit))
        standings.append(f'"{name}";r={left};t={reset}')
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(standings).encode())]


@lru_cache(1024)
def _policy(name: str, limit: Rate) -> str:
    return f'"{name}";q={limit.burst};w={max(1, seconds(limit.window))}'


def address_of(scope: Scope) -> str:
    """Who a request's address stands for: itself, or of IPv6 the network that one household gets. Any text is somebody.

    It is the client's own behind a proxy that uvicorn trusts (`FORWARDED_ALLOW_IPS`), and the proxy's otherwise.
    """
    client = scope.get("client")
    return subject_of_address(client[0] if client else "")


def subject_of_address(address: str) -> str:
    """See `address_of`."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64] or "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
    return str(parsed)


def limited_by_address(
    policy: str, limit: Rate, clock: Callable[[], float] = time.monotonic
) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware of one route: each address may ask so often of this process. Answers tell where the address stands.

    For public routes that cost little: several processes allow as many times as much.
    """

    def middleware(app: ASGIApp) -> ASGIApp:
        tats: dict[str, int] = {}

        async def limited(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            now, address = int(clock() * SECOND), address_of(scope)
            if len(tats) >= _MOST:
                for known in [known for known, tat in tats.items() if tat <= now]:
                    del tats[known]
            tats[address], wait = take(tats.get(address, 0), now, limit)
            left, reset = remaining(tats[address], now, limit), seconds(wait or tats[address] - now)

            async def send_with_limit(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *limit_headers([(policy, limit, left, reset)])]
                await send(message)

            if wait > 0:
                refusal = RateLimited(
                    f"Too many requests of this address: at most {limit.burst:,} at once and "
                    f"{limit.per_second:g} a second after that.",
                    retry_after=round(wait / SECOND, 3),
                    policy=policy,
                )
                body = msgspec.json.encode(refusal.as_problem(scope.get("state", {}).get("request_id")))
                headers = {**_REFUSED, b"retry-after": str(reset).encode(), b"content-length": str(len(body)).encode()}
                await send_with_limit({"type": "http.response.start", "status": 429, "headers": list(headers.items())})
                await send({"type": "http.response.body", "body": body, "more_body": False})
                return
            await app(scope, receive, send_with_limit)

        return limited

    return middleware
