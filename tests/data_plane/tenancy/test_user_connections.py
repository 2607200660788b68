"""One user's connections over all processes of a shard."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from data_plane.tenancy.errors import TooManyConnections
from data_plane.tenancy.shared_counts import FRESH, SOON
from data_plane.tenancy.user_connections import UserConnections
from kernel.redis import connect_redis
from tests.data_plane.node import Node

Make = Callable[..., UserConnections]


@pytest.fixture
async def processes(node: Node, redis_url: str) -> AsyncIterator[Make]:
    clients = []

    def make(name: str, *, limit: int = 50, url: str = redis_url) -> UserConnections:
        clients.append(connect_redis(url))
        return UserConnections(clients[-1], shard_id="s0", process=name, clock=node.clock, limit=limit)

    yield make
    for client in clients:
        await client.aclose()


async def admitted(users: UserConnections, node: Node, count: int, user: str = "alice") -> int:
    """How many of so many at once get in."""
    results = await asyncio.gather(
        *(users.acquire(node.tenant.app_id, user) for _ in range(count)), return_exceptions=True
    )
    assert {type(result) for result in results} <= {type(None), TooManyConnections}
    return results.count(None)


async def test_a_burst_of_one_user_stops_at_the_limit_and_others_are_not_touched(node: Node, processes: Make) -> None:
    users = processes("a")
    assert await admitted(users, node, 80) == 50
    assert await admitted(users, node, 1) == 0
    assert await admitted(users, node, 1, "bob") == 1
    users.release(node.tenant.app_id, "alice")
    assert await admitted(users, node, 2) == 1


async def test_the_same_user_id_of_another_app_is_somebody_else(node: Node, processes: Make) -> None:
    users, other = processes("a", limit=1), node.add_tenant()
    await users.acquire(node.tenant.app_id, "alice")
    await users.acquire(other.app_id, "alice")
    with pytest.raises(TooManyConnections) as refused:
        await users.acquire(other.app_id, "alice")
    assert refused.value.status == 429
    assert refused.value.data == {"limit": 1}
    assert refused.value.retry_after


async def test_the_limit_holds_over_processes_but_for_what_stays_unseen(node: Node, processes: Make) -> None:
    a, b = processes("a"), processes("b")
    assert await admitted(a, node, 30) == 30
    await a.publish()
    assert await admitted(b, node, 30) == 20
    for _ in range(30):
        a.release(node.tenant.app_id, "alice")
    await a.publish()
    node.clock.advance(timedelta(seconds=2))
    assert await admitted(b, node, 40) == 30
    await b.publish()
    c = processes("c")
    assert await admitted(c, node, 10) == 5, "a tenth of the limit before anybody is asked"


async def test_others_hear_soon_of_what_comes_and_goes(node: Node, processes: Make) -> None:
    a, b = processes("a", limit=3), processes("b", limit=3)
    telling = asyncio.create_task(a.run())
    await asyncio.sleep(SOON)  # what is told every two seconds has been told
    assert await admitted(a, node, 2) == 2
    await asyncio.sleep(3 * SOON)
    assert await admitted(b, node, 3) == 1
    for _ in range(2):
        a.release(node.tenant.app_id, "alice")
        await asyncio.sleep(3 * SOON)
        node.clock.advance(timedelta(seconds=FRESH))
        assert await admitted(b, node, 3) == 1
    telling.cancel()


async def test_a_small_limit_is_exact(node: Node, processes: Make) -> None:
    a, b = processes("a", limit=3), processes("b", limit=3)
    assert await admitted(a, node, 2) == 2
    await a.publish()
    assert await admitted(b, node, 3) == 1


async def test_a_process_that_died_counts_no_more_after_a_while(node: Node, processes: Make) -> None:
    a, b = processes("a", limit=3), processes("b", limit=3)
    assert await admitted(a, node, 3) == 3
    await a.publish()
    assert await admitted(b, node, 1) == 0
    node.clock.advance(timedelta(seconds=11))
    assert await admitted(b, node, 4) == 3


async def test_a_user_with_few_connections_costs_redis_nothing_and_its_absence_stops_nobody(
    node: Node, processes: Make
) -> None:
    users = processes("a", url="redis://127.0.0.1:1/0")
    assert await admitted(users, node, 60) == 50
    await users.publish()
