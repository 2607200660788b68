"""Several nodes share a limit: what they let pass together is bounded, whatever the timing of settlements.

`limiter.py` states the bound: in any time t at most `burst + rate·t + (nodes − 1)·slack` units, and of one node alone
`burst + rate·t`.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from data_plane.limits import limiter as module
from data_plane.limits.limiter import Limiter
from data_plane.limits.policies import MESSAGES, MESSAGES_USER, TOKENS_APP, Policy, slack_of
from data_plane.limits.store import CALLS_AT_ONCE, Ask, Away, BucketStore, Told
from kernel.clock import ManualClock, SystemClock
from kernel.contracts import AppSnapshot, RateLimit
from kernel.errors import RateLimited
from kernel.gcra import SECOND, Rate
from kernel.ids import format_id
from kernel.redis import connect_redis
from tests.cluster import ValkeyCluster

NODES = 3


def app(*limits: RateLimit, version: int = 1) -> AppSnapshot:
    return AppSnapshot(
        app_id="app_01k2x7m5t1e8b9v3q4w5r6t7y8",
        organization_id="org_01k2x7m5t1e8b9v3q4w5r6t7y8",
        version=version,
        shard="s0",
        environment="development",
        status="active",
        limits=limits,
    )


class Server:
    """Redis on a clock that stands still: what the script does, as `test_script.py` shows."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.tats: dict[str, int] = {}

    def settle(self, asks: Sequence[Ask]) -> list[Told]:
        now = int(self.clock.monotonic() * SECOND)
        told = []
        for ask in asks:
            start = min(max(self.tats.get(ask.key, 0), now), now + 2 * ask.rate.window)
            self.tats[ask.key] = max(now, start + ask.cost * ask.rate.every)
            told.append(Told(self.tats[ask.key] - now, 0))
        return told


class Link:
    """A node's way to the server: a question arrives, and its answer comes back, when the test says so."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.arrives, self.returns = asyncio.Event(), asyncio.Event()
        self.broken = False

    async def settle(self, asks: Sequence[Ask]) -> list[Told]:
        await self.arrives.wait()
        self.arrives.clear()
        if self.broken:
            raise Away
        told = self.server.settle(asks)
        await self.returns.wait()
        self.returns.clear()
        return told


class Shard:
    """Three nodes, one user, and when each of its units passed (microseconds)."""

    def __init__(self, limit: Rate, clock: ManualClock) -> None:
        self.clock, self.limit = clock, limit
        self.app = app(RateLimit(policy=MESSAGES_USER.name, per_second=limit.per_second, burst=limit.burst))
        server = Server(clock)
        self.links = [Link(server) for _ in range(NODES)]
        self.nodes: list[Limiter] = [Limiter(link, clock, CollectorRegistry()) for link in self.links]  # type: ignore[arg-type]
        self.rounds: list[asyncio.Task[None] | None] = [None] * NODES
        self.passed: list[int] = []

    async def step(self, node: int, what: str, amount: int) -> None:
        match what:
            case "ask":
                bucket = self.nodes[node].bucket(self.app, MESSAGES_USER, "ada")
                for _ in range(amount):
                    try:
                        if self.nodes[node].try_pass((bucket,)):
                            self.passed.append(int(self.clock.monotonic() * SECOND))
                    except RateLimited:
                        pass
            case "settle" if self.rounds[node] is None:
                self.rounds[node] = asyncio.create_task(self.nodes[node].settle())
            case "arrive":
                self.links[node].arrives.set()
            case "return":
                self.links[node].returns.set()
            case "wait":
                self.clock.advance(timedelta(microseconds=amount * self.limit.every // 2))
        for _ in range(4):
            await asyncio.sleep(0)
        task = self.rounds[node]
        if task is not None and task.done():
            task.result()
            self.rounds[node] = None

    async def close(self) -> None:
        for task in filter(None, self.rounds):
            task.cancel()
        await asyncio.gather(*filter(None, self.rounds), return_exceptions=True)


def excess(passed: Sequence[int], limit: Rate) -> float:
    """The most units by which any window is over `burst + rate·t`."""
    worst = 0.0
    for i, start in enumerate(passed):
        for units, end in enumerate(passed[i:], 1):
            worst = max(worst, units - limit.burst - (end - start) / limit.every)
    return worst


limits = st.builds(Rate, every=st.sampled_from([20_000, 100_000]), burst=st.sampled_from([1, 4, 10, 20, 40]))
histories = st.lists(
    st.tuples(
        st.integers(0, NODES - 1),
        st.sampled_from(["ask", "ask", "settle", "arrive", "return", "wait"]),
        st.integers(1, 12),
    ),
    max_size=120,
)


def run(limit: Rate, history: list[tuple[int, str, int]]) -> list[int]:
    async def all_of_it() -> list[int]:
        shard = Shard(limit, ManualClock())
        for node, what, amount in history:
            await shard.step(node, what, amount)
        await shard.close()
        return shard.passed

    return asyncio.run(all_of_it())


@settings(max_examples=400, deadline=None)
@given(limits, histories)
def test_three_nodes_pass_no_more_than_the_bound(limit: Rate, history: list[tuple[int, str, int]]) -> None:
    assert excess(run(limit, history), limit) <= (NODES - 1) * slack_of(limit) + 1e-6


@settings(max_examples=200, deadline=None)
@given(limits, histories)
def test_one_node_alone_passes_no_more_than_burst_and_rate(limit: Rate, history: list[tuple[int, str, int]]) -> None:
    assert excess(run(limit, [(0, what, amount) for _, what, amount in history]), limit) <= 1e-6


WORST = [
    *[(node, what, 40) for node in range(NODES) for what in ("ask",)],
    *[(node, what, 1) for node in range(NODES) for what in ("settle", "arrive", "return")],
] * 12


@pytest.mark.parametrize("broken", ["no slack", "forgets what it told"])
def test_a_limiter_that_counts_badly_would_be_noticed(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Rate(100_000, 40)
    assert excess(run(limit, WORST), limit) <= 2 * slack_of(limit)
    if broken == "no slack":
        monkeypatch.setattr(module, "slack_of", lambda limit: 10**9)
    else:
        settled = Limiter._settled

        def forgetful(self: Limiter, batch: Any, charged: Any, told: Any) -> None:
            settled(self, batch, charged, [Told(0, 0) for _ in told])

        monkeypatch.setattr(Limiter, "_settled", forgetful)
    assert excess(run(limit, WORST), limit) > 2 * slack_of(limit)


# -- with Redis and real time --------------------------------------------------------------------------------------


class Nodes:
    """Three limiters on one Redis."""

    def __init__(self, url: str) -> None:
        self.clients = [connect_redis(url) for _ in range(NODES)]
        self.limiters = [Limiter(BucketStore(c, "s0"), SystemClock(), CollectorRegistry()) for c in self.clients]

    async def __aenter__(self) -> "Nodes":
        self.tasks = [asyncio.create_task(each.run()) for each in self.limiters]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        for client in self.clients:
            await client.aclose()
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results


async def hammer(limiter: Limiter, app: AppSnapshot, policy: Policy, seconds: float, pause: float) -> list[int]:
    """Ask all the time; when units passed."""
    passed: list[int] = []
    end = limiter.now() + seconds * SECOND
    bucket = limiter.bucket(app, policy, "ada")
    while limiter.now() < end:
        try:
            await limiter.admit((bucket,))
            passed.append(limiter.now())
        except RateLimited:
            pass
        await asyncio.sleep(pause)
    return passed


@pytest.mark.parametrize("pause", [0.0, 0.003])
async def test_three_nodes_on_one_redis(redis_url: str, pause: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SECONDS_HELD", 0.002)
    limit = Rate(10_000, 50)
    plan = app(RateLimit(policy=MESSAGES_USER.name, per_second=100, burst=50))
    async with Nodes(redis_url) as nodes:
        runs = await asyncio.gather(*(hammer(each, plan, MESSAGES_USER, 2.0, pause) for each in nodes.limiters))
    passed = sorted(moment for each in runs for moment in each)
    assert excess(passed, limit) <= 2 * slack_of(limit) + 1
    # And the limit is there to be used: nobody is refused for the sake of the counting.
    assert len(passed) >= 0.9 * (limit.burst + (passed[-1] - passed[0]) / limit.every)


async def test_one_node_hears_what_another_let_pass(redis_url: str) -> None:
    plan = app()
    async with Nodes(redis_url) as nodes:
        first, second = nodes.limiters[:2]
        for _ in range(30):
            await first.admit(first.buckets(MESSAGES, plan, "ada"))
        bucket = second.bucket(plan, MESSAGES_USER, "ada")
        await first.refresh((first.bucket(plan, MESSAGES_USER, "ada"),))
        await second.refresh((bucket,))
        assert 19 <= second.standing(bucket).remaining <= 22


async def test_a_flushed_redis_only_forgets(redis_url: str) -> None:
    plan = app()
    async with Nodes(redis_url) as nodes:
        node = nodes.limiters[0]
        bucket = node.bucket(plan, MESSAGES_USER, "ada")
        for _ in range(50):
            await node.admit((bucket,))
        with pytest.raises(RateLimited):
            await node.admit((bucket,))
        await nodes.clients[0].flushall()
        await node.refresh((bucket,))
        await node.admit((bucket,))


async def test_a_burst_within_one_turn_passes_whole_and_in_order(redis_url: str) -> None:
    plan, order = app(), []
    async with Nodes(redis_url) as nodes:
        node = nodes.limiters[0]
        bucket = node.bucket(plan, MESSAGES_USER, "ada")

        async def one(number: int) -> None:
            if not node.try_pass((bucket,)):
                await node.admit((bucket,))
            order.append(number)

        results = await asyncio.gather(*(one(number) for number in range(60)), return_exceptions=True)
    # It has begun anew meanwhile, so one or two more than the burst may pass.
    refused = [result for result in results if result is not None]
    assert 8 <= len(refused) <= 10
    assert all(isinstance(result, RateLimited) for result in refused)
    assert order == sorted(order)


async def test_without_redis_each_node_counts_for_itself(fresh_valkey: Callable[[], Any]) -> None:
    server, plan = fresh_valkey(), app()
    async with Nodes(server.url) as nodes:
        first, second = nodes.limiters[:2]
        buckets = [each.bucket(plan, MESSAGES_USER, "ada") for each in (first, second)]
        for _ in range(50):
            await first.admit((buckets[0],))
        await first.refresh(buckets[:1])
        server.kill()
        for limiter, bucket, expected in ((second, buckets[1], 50), (first, buckets[0], 0)):
            passed, began = 0, limiter.now()
            for _ in range(60):
                try:
                    async with asyncio.timeout(5):
                        await limiter.admit((bucket,))
                    passed += 1
                except RateLimited:
                    pass
            assert expected <= passed <= expected + 11 * (limiter.now() - began) / SECOND + 2
        assert first.away and second.away
        server.start()
        for _ in range(400):
            if not (first.away or second.away):
                break
            await asyncio.sleep(0.02)
        assert not first.away and not second.away
        # What passed meanwhile is counted now, as far as it has not run off.
        await first.refresh(buckets[:1])
        assert first.standing(buckets[0]).remaining < 40


async def test_a_changed_plan_holds_at_once(redis_url: str) -> None:
    async with Nodes(redis_url) as nodes:
        node = nodes.limiters[0]
        node.app_changed(app())
        assert node.standing(node.bucket(app(), MESSAGES_USER, "ada")).rate.burst == 50
        limit = RateLimit(policy=MESSAGES_USER.name, per_second=1, burst=2)
        node.app_changed(app(limit, RateLimit(policy="unknown.user", per_second=1, burst=1), version=2))
        # A caller of before still has the older snapshot.
        bucket = node.bucket(app(), MESSAGES_USER, "ada")
        await node.admit((bucket,))
        await node.admit((bucket,))
        with pytest.raises(RateLimited) as refusal:
            await node.admit((bucket,))
        assert refusal.value.data == {"policy": "messages.user"}
        assert 0 < (refusal.value.retry_after or 0) <= 1


async def test_nodes_count_together_in_a_cluster(cluster: ValkeyCluster) -> None:
    """Buckets of many apps in one settlement: their keys are on different masters, those of one app on one."""
    apps = [msgspec.structs.replace(app(), app_id=format_id("app", uuid4())) for _ in range(12)]
    async with Nodes(cluster.url) as nodes:
        first, second = nodes.limiters[:2]

        async def together() -> None:
            """A client's first calls to a new cluster may meet a connection that is only being made."""
            async with asyncio.timeout(20):
                while True:
                    for limiter in (first, second):
                        await limiter.refresh([b for plan in apps for b in limiter.buckets(MESSAGES, plan, "ada")])
                    if not first.away and not second.away:
                        return
                    await asyncio.sleep(0.1)

        await together()
        for plan in apps:
            for _ in range(30):
                await first.admit(first.buckets(MESSAGES, plan, "ada"))
        await together()
        for plan in apps:
            user = second.buckets(MESSAGES, plan, "ada")[0]
            assert second.standing(user).remaining < 50
        # And where Redis is asked first: all keys of a call in one slot.
        tokens = second.bucket(apps[0], TOKENS_APP)
        await second.admit((tokens,))
        assert not second.away
        assert second.standing(tokens).remaining == 1_999


class Patchy(BucketStore):
    """The calls about one app fail at once; what became of the others."""

    broken = ""

    def __init__(self, url: str) -> None:
        self.redis = connect_redis(url, name="patchy")
        super().__init__(self.redis, "s0")
        self.done: list[str] = []
        self.cut_off: list[str] = []

    async def _run(self, mode: Any, asks: Sequence[Ask]) -> list[Told]:
        tag = asks[0].tag
        if tag == self.broken:
            raise Away
        try:
            told = await super()._run(mode, asks)
        except asyncio.CancelledError:
            self.cut_off.append(tag)
            raise
        self.done.append(tag)
        return told


async def test_a_call_that_fails_cuts_no_other_off_and_a_settlement_opens_few_connections(
    cluster: ValkeyCluster,
) -> None:
    asks = [Ask(f"app{number}", "user", Rate(10_000, 50), 1) for number in range(100)]
    store = Patchy(cluster.url)
    try:
        store.broken = "app1"
        with pytest.raises(Away):
            await store.settle(asks)
        assert store.cut_off == []
        assert 1 <= len(store.done) < CALLS_AT_ONCE, "what had begun was finished, and nothing began any more"
        store.broken = ""
        assert len(await store.settle(asks)) == len(asks)
        for server in cluster.servers[:3]:
            names = [each["name"] for each in cluster.client(server).client_list()]
            assert names.count("patchy") <= CALLS_AT_ONCE + 1, "one more looks where things are"
    finally:
        await store.redis.aclose()
