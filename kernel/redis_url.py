"""The URL of a Redis Cluster: `redis+cluster://user:password@a:6379,b:6379` names it by some of its members.

With TLS it is `rediss+cluster`. Apart from the clients, whose imports are slow.
"""

from typing import Final
from urllib.parse import urlsplit

CLUSTER_SCHEMES: Final = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
"""By the scheme of the cluster's URL, that of a member's own."""


def cluster_members(url: str) -> list[str]:
    """The URLs of the members that a cluster's URL names; empty when it names no cluster. Raises `ValueError`."""
    parts = urlsplit(url)
    scheme = CLUSTER_SCHEMES.get(parts.scheme)
    if scheme is None:
        return []
    user, at, hosts = parts.netloc.rpartition("@")
    if parts.path.strip("/0"):
        raise ValueError("a cluster has no databases but 0")
    members = [f"{scheme}://{user}{at}{host}" for host in hosts.split(",") if host]
    for member in members:
        if not urlsplit(member).hostname:
            raise ValueError("a member without a host")
        _ = urlsplit(member).port  # raises when it is none
    if not members:
        raise ValueError("no members")
    return members
