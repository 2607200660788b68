"""A real Valkey cluster for tests: masters and replicas of the packaged server, formed by CLUSTER commands.

`make_cluster(engines)` and the fixture `cluster` (three masters, one of them with a replica).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from tests.engines import Engines, Server

SLOTS = 16_384
MASTERS = 3
NODE_TIMEOUT_MS = 500


@dataclass
class ValkeyCluster:
    """The masters in slot order, then the replica of the first one."""

    servers: list[Server]
    password: str

    @property
    def url(self) -> str:
        """As settings name it: by two of its members."""
        hosts = ",".join(f"127.0.0.1:{server.engine.port}" for server in self.servers[:2])
        return f"redis+cluster://:{self.password}@{hosts}"

    @property
    def replica(self) -> Server:
        """Takes over from the first master."""
        return self.servers[MASTERS]

    def client(self, server: Server) -> Any:
        """A connection to one member."""
        return redis.Redis(port=server.engine.port, password=self.password, decode_responses=True, socket_timeout=5)

    def call(self, server: Server, *command: Any) -> Any:
        """One command to one member."""
        with self.client(server) as client:
            return client.execute_command(*command)

    def id_of(self, server: Server) -> str:
        """A member's own name for itself."""
        name: str = self.call(server, "CLUSTER", "MYID")
        return name

    def owner(self, channel: str) -> Server:
        """The master that carries a channel, as the cluster itself has it."""
        slot = key_slot(channel.encode())
        for first, last, master, *_ in self.call(self.servers[1], "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(server for server in self.servers if server.engine.port == master[1])
        raise LookupError(channel)

    def move(self, channel: str, target: Server) -> None:
        """Move the slot of a channel, which holds no keys, to another master."""
        slot, source = key_slot(channel.encode()), self.owner(channel)
        self.call(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        self.call(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(target))
        for server in (target, source):
            self.call(server, "CLUSTER", "SETSLOT", slot, "NODE", self.id_of(target))

    def wait_until_whole(self, servers: list[Server], seconds: float = 15) -> None:
        """Until each of these members finds every slot served."""
        end = time.monotonic() + seconds
        for server in servers:
            while "cluster_state:ok" not in self.call(server, "CLUSTER", "INFO"):
                if time.monotonic() > end:
                    raise TimeoutError(self.call(server, "CLUSTER", "INFO"))
                time.sleep(0.05)


def make_cluster(engines: Engines) -> ValkeyCluster:
    """Start and join the servers."""
    servers = [
        engines.start_valkey(
            {"cluster-enabled": "yes", "cluster-node-timeout": str(NODE_TIMEOUT_MS), "masterauth": "valkey-password"}
        )
        for _ in range(MASTERS + 1)
    ]
    cluster = ValkeyCluster(servers, "valkey-password")
    masters, replica = servers[:MASTERS], servers[MASTERS]
    for at, server in enumerate(masters):
        # Members come with votes of different age, or two could claim the same.
        cluster.call(server, "CLUSTER", "SET-CONFIG-EPOCH", at + 1)
        cluster.call(server, "CLUSTER", "ADDSLOTSRANGE", SLOTS * at // MASTERS, SLOTS * (at + 1) // MASTERS - 1)
    for server in servers[1:]:
        cluster.call(server, "CLUSTER", "MEET", "127.0.0.1", masters[0].engine.port)
    cluster.wait_until_whole(servers)
    first = cluster.id_of(masters[0])
    end = time.monotonic() + 10
    while first not in cluster.call(replica, "CLUSTER", "NODES"):
        assert time.monotonic() < end
        time.sleep(0.05)
    cluster.call(replica, "CLUSTER", "REPLICATE", first)
    while "master_link_status:up" not in _info(cluster, replica):
        assert time.monotonic() < end
        time.sleep(0.05)
    return cluster


def _info(cluster: ValkeyCluster, server: Server) -> str:
    found = cluster.call(server, "INFO", "replication")
    return "\n".join(f"{name}:{value}" for name, value in found.items())


@pytest.fixture(scope="module")
def cluster(engines: Engines) -> Iterator[ValkeyCluster]:
    """One cluster for a file; tests leave it whole."""
    made = make_cluster(engines)
    yield made
    for server in made.servers:
        server.kill()
        engines.servers.remove(server)
