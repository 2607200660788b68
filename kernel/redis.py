"""Redis clients with the same timeouts everywhere. The URL decides the server; nothing here imitates one."""

from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from kernel.redis_url import cluster_members

REDIS_ERRORS: Final = (RedisError, RedisClusterException, OSError, AttributeError)
"""What an ordinary call raises when the server, or a part of the cluster, is away. The last is what redis-py stumbles
over when another task has found its connection broken and closed it (`None` has no `writelines`)."""

_TIMEOUTS: Final[dict[str, Any]] = {"socket_connect_timeout": 2, "socket_timeout": 5, "health_check_interval": 15}


def connect_redis(url: str, *, name: str = "natter") -> "Redis | RedisCluster":
    """A client that fails fast: what uses Redis on the hot path has its own way to go on without it."""
    return connect_cluster(url, name=name) if cluster_members(url) else connect_server(url, name=name)


def connect_server(url: str, *, name: str = "natter") -> Redis:
    """A client of one server, which may be a member of a cluster: it follows no redirection."""
    client: Redis = Redis.from_url(url, client_name=name, retry=Retry(NoBackoff(), 0), **_TIMEOUTS)
    return client


def connect_cluster(url: str, *, name: str = "natter") -> RedisCluster:
    """A client of a cluster, which finds the members by itself and follows keys that move."""
    members = [urlsplit(member) for member in cluster_members(url)]
    return RedisCluster(
        startup_nodes=[ClusterNode(member.hostname or "", member.port or 6379) for member in members],
        username=members[0].username,
        password=members[0].password,
        ssl=members[0].scheme == "rediss",
        client_name=name,
        # One look at where things are now after a failure; whoever calls goes on without Redis meanwhile.
        retry=Retry(NoBackoff(), 1),
        **_TIMEOUTS,
    )
