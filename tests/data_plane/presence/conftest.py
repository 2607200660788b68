"""Two processes of a shard, and the Redis that they share."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.data_plane.conftest import App
from tests.data_plane.presence.nodes import Nodes, Process
from tests.engines import Engines


@pytest.fixture
async def redis(engines: Engines) -> AsyncIterator[Redis]:
    client = Redis.from_url(engines.redis_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def nodes(app: App, redis: Redis) -> Nodes:
    await app.make_users("alice", "bob", "eve")
    await app.make_channel("a", "alice", "bob")
    nodes: Nodes = []
    nodes += [Process(app, redis, name, nodes) for name in ("n0", "n1")]
    return nodes
