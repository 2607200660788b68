"""Redis clients with the same timeouts everywhere. The URL decides the server; nothing here imitates one."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def connect_redis(url: str, *, name: str = "natter") -> "Redis":
    """A client that fails fast: what uses Redis on the hot path has its own way to go on without it."""
    client: Redis = Redis.from_url(
        url,
        client_name=name,
        socket_connect_timeout=2,
        socket_timeout=5,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 0),
    )
    return client
