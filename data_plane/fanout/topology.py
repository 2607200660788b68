"""Which server carries which channel: always the same one, or in a Redis Cluster the master that holds its slot."""

from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from redis.crc import key_slot
from redis.exceptions import RedisError

from kernel.logging import get_logger
from kernel.redis import connect_server
from kernel.redis_url import cluster_members

_log = get_logger(__name__)


class Topology(Protocol):
    """Knows servers by their URLs."""

    async def refresh(self) -> None:
        """Look anew. Keeps what was known when nobody answers."""
        ...

    def owner(self, channel: str) -> str | None:
        """The server that carries a channel; null while that is not known."""
        ...

    def owners(self) -> set[str]:
        """The servers that carry any."""
        ...


def topology_of(url: str) -> Topology:
    """The one that fits a URL."""
    members = cluster_members(url)
    return ClusterTopology(members) if members else OneServer(url)


class OneServer:
    """A server that is no cluster."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def refresh(self) -> None:
        pass

    def owner(self, channel: str) -> str | None:
        return self._url

    def owners(self) -> set[str]:
        return {self._url}


class ClusterTopology:
    """The masters of a Redis Cluster, as a member tells it. `members` are URLs of some, with user and password."""

    def __init__(self, members: list[str]) -> None:
        self._seeds = members
        self._known: list[str] = []
        self._ranges: list[tuple[int, int, str]] = []
        self._owners: dict[str, str | None] = {}
        self._away: set[str] = set()

    async def refresh(self) -> None:
        for url in dict.fromkeys([*self._known, *self._seeds]):
            client: Any = connect_server(url, name="natter-topology")
            try:
                found = await client.execute_command("CLUSTER SLOTS")
            except (RedisError, OSError) as error:
                if url not in self._away:
                    self._away.add(url)
                    _log.warning("bus.member_away", member=urlsplit(url).netloc.rpartition("@")[2], error=repr(error))
                continue
            finally:
                await client.aclose()
            self._away.discard(url)
            self._learn(url, found)
            return

    def owner(self, channel: str) -> str | None:
        if channel not in self._owners:
            slot = key_slot(channel.encode())
            self._owners[channel] = next((url for first, last, url in self._ranges if first <= slot <= last), None)
        return self._owners[channel]

    def owners(self) -> set[str]:
        return {url for _, _, url in self._ranges}

    def _learn(self, told_by: str, found: Any) -> None:
        """Take in `[[first, last, [host, port, …master], [host, port, …replica]…]…]`."""
        parts = urlsplit(told_by)
        user, at, _ = parts.netloc.rpartition("@")
        ranges, known = [], []
        for first, last, *servers in found:
            urls = []
            for host, port, *_ in servers:
                # A member that knows no name of its own leaves it away: it is the one we asked.
                name = (host.decode() if isinstance(host, bytes) else host) or parts.hostname or ""
                name = f"[{name}]" if ":" in name else name
                urls.append(urlunsplit(parts._replace(netloc=f"{user}{at}{name}:{port}")))
            ranges.append((first, last, urls[0]))
            known += urls
        self._owners = {}
        self._ranges, self._known = ranges, list(dict.fromkeys(known))
