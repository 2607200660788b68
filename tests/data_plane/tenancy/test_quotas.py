"""The plan's limits, and the count of connections over several nodes."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from data_plane.limits.policies import limits_of
from data_plane.tenancy.connections import ConnectionQuota
from data_plane.tenancy.errors import QuotaExceeded
from data_plane.tenancy.quotas import check_messages, check_new_active, check_storage
from data_plane.tenancy.shared_counts import PATIENCE
from kernel.contracts import Quota, RateLimit
from kernel.redis import connect_redis
from ops.chaos.proxy import Proxy

NOW = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)


def quota(meter, /, **changes):
    base = Quota(meter=meter, period="2026-03", used=200_000, limit=200_000, over="stop", exceeded=True)
    return msgspec.structs.replace(base, **changes)


def with_quota(node, *quotas):
    return msgspec.structs.replace(node.tenant.snapshot, quotas=quotas)


async def test_an_exceeded_quota_that_stops_refuses_messages_and_says_all(node):
    with pytest.raises(QuotaExceeded) as caught:
        check_messages(with_quota(node, quota("messages")), NOW)
    error = caught.value
    assert (error.status, error.code, error.retryable) == (403, "quota_exceeded", False)
    assert error.data == {"meter": "messages", "limit": 200_000, "used": 200_000, "period": "2026-03"}
    assert "200,000 messages" in error.message
    assert "portal" in error.message


@pytest.mark.parametrize(
    "change", [{"exceeded": False}, {"over": "bill"}, {"over": "throttle"}, {"period": "2026-02"}, {"meter": "mau"}]
)
async def test_everything_else_lets_messages_through(node, change):
    check_messages(with_quota(node, quota("messages", **change)), NOW)


async def test_a_standing_ends_with_its_month(node):
    app = with_quota(node, quota("messages"), quota("mau"))
    assert check_new_active(app, NOW)
    check_messages(app, NOW + timedelta(seconds=1))
    assert not check_new_active(app, NOW + timedelta(seconds=1))


async def test_what_is_stored_can_be_edited_but_not_added_to_once_it_is_full(node):
    full = quota("storage_bytes", used=10**9, limit=10**9)
    with pytest.raises(QuotaExceeded, match="Delete some for good"):
        check_storage(with_quota(node, full), NOW)
    check_messages(with_quota(node, full), NOW)
    for change in ({"exceeded": False}, {"over": "bill"}):
        check_storage(with_quota(node, msgspec.structs.replace(full, **change)), NOW)


@pytest.mark.parametrize("meter", ["messages", "mau", "peak_connections", "storage_bytes"])
async def test_beyond_a_limit_that_throttles_an_app_has_a_tenth_of_its_rates(node, meter):
    own = (RateLimit(policy="messages.app", per_second=300, burst=1_500),)
    for throttled in (False, True):
        app = msgspec.structs.replace(with_quota(node, quota(meter, over="throttle", exceeded=throttled)), limits=own)
        rates = limits_of(app).rates
        assert round(rates["messages.app"].per_second) == (30 if throttled else 300)
        assert rates["messages.app"].burst == (150 if throttled else 1_500)
        assert round(rates["tokens.app"].per_second) == (20 if throttled else 200)
        # What one user may do is as before; it is the app that is slower.
        assert rates["messages.user"] == limits_of(node.tenant.snapshot).rates["messages.user"]


def peak(node, limit, over="stop"):
    return with_quota(node, quota("peak_connections", limit=limit, used=0, exceeded=False, over=over))


@pytest.fixture
async def nodes(node, redis_url):
    clients = []

    def make(name, url=redis_url):
        clients.append(connect_redis(url))
        return ConnectionQuota(clients[-1], shard_id="s0", node=name, clock=node.clock)

    yield make
    for client in clients:
        await client.aclose()


async def test_the_limit_holds_on_one_node_against_a_burst(node, nodes):
    quota, app = nodes("a"), peak(node, 10)
    results = await asyncio.gather(*(quota.acquire(app) for _ in range(50)), return_exceptions=True)
    refused = [result for result in results if result is not None]
    assert len(refused) == 40
    assert {type(result) for result in refused} == {QuotaExceeded}
    assert refused[0].data["meter"] == "peak_connections"
    assert refused[0].data["used"] == 10
    quota.release(node.tenant.app_id)
    await quota.acquire(app)
    with pytest.raises(QuotaExceeded):
        await quota.acquire(app)


async def test_the_limit_holds_over_two_nodes_within_two_seconds(node, nodes):
    a, b, app = nodes("a"), nodes("b"), peak(node, 10)
    for _ in range(8):
        await a.acquire(app)
    await a.publish()
    await b.acquire(app)
    await b.acquire(app)
    with pytest.raises(QuotaExceeded):
        await b.acquire(app)
    for _ in range(8):
        a.release(node.tenant.app_id)
    await a.publish()
    node.clock.advance(timedelta(seconds=2))
    await b.acquire(app)
    assert b.counts.as_dict() == {node.tenant.app_id: 3}
    assert a.counts.as_dict() == {}


async def test_a_node_that_died_counts_no_more_after_a_while(node, nodes):
    a, b, app = nodes("a"), nodes("b"), peak(node, 2)
    await a.acquire(app)
    await a.acquire(app)
    await a.publish()
    with pytest.raises(QuotaExceeded):
        await b.acquire(app)
    node.clock.advance(timedelta(seconds=11))
    await b.acquire(app)


async def test_without_redis_a_node_goes_by_its_own_count(node, nodes, fresh_valkey):
    server = fresh_valkey()
    a, app = nodes("a", server.url), peak(node, 2)
    await a.acquire(app)
    server.kill()
    node.clock.advance(timedelta(seconds=3))
    await a.publish()
    await a.acquire(app)
    with pytest.raises(QuotaExceeded):
        await a.acquire(app)


async def test_a_limit_that_is_billed_or_absent_refuses_nobody_and_asks_nobody(node, nodes):
    a = nodes("a", "redis://127.0.0.1:1/0")
    for app in (peak(node, 1, over="bill"), peak(node, None), node.tenant.snapshot):
        for _ in range(3):
            await a.acquire(app)
    assert a.local(node.tenant.app_id) == 9


async def test_the_limit_holds_in_a_new_month_too(node, nodes):
    app = with_quota(node, quota("peak_connections", limit=1, period="2026-01", exceeded=False))
    a = nodes("a")
    await a.acquire(app)
    with pytest.raises(QuotaExceeded):
        await a.acquire(app)


async def test_a_redis_that_is_silent_holds_nobody_up_who_connects(node, nodes, redis_url, engines, free_ports):
    proxy = Proxy(free_ports(1)[0], engines.valkey.port)
    await proxy.start()
    one = nodes("a", redis_url.replace(f":{engines.valkey.port}", f":{proxy.port}"))
    two, app = nodes("b"), peak(node, 10)
    await two.acquire(app)
    await two.publish()
    proxy.break_with("swallow")
    began = time.monotonic()
    await asyncio.gather(*(one.acquire(app) for _ in range(10)))
    assert time.monotonic() - began < 5 * PATIENCE, "all of them waited together, not one after the other"
    with pytest.raises(QuotaExceeded):
        await one.acquire(app)
    await proxy.stop()
