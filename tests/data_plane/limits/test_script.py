"""The Lua script does what `kernel.gcra` says, for any number of buckets at once, on the server's own clock."""

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from data_plane.limits.store import SCRIPT
from kernel.gcra import SECOND, Rate, take

CLOCK = 'redis.call("TIME")'
MOVED = SCRIPT.replace(CLOCK, "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
"""The script with a clock that the test moves. Its buckets are slow, so that none expires by the real clock."""
START = 1_790_000_000 * SECOND

costs = st.lists(st.integers(1, 4), min_size=3, max_size=3)
calls = st.lists(
    st.tuples(st.sampled_from(["take", "take", "settle"]), st.integers(0, 40 * SECOND), costs), max_size=30
)
rates = st.lists(
    st.builds(Rate, every=st.integers(5 * SECOND, 20 * SECOND), burst=st.integers(1, 6)), min_size=3, max_size=3
)


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def call(client: "redis.Redis", script: str, mode: str, keys: list[str], rates: list[Rate], costs: list[int], now: int):  # type: ignore[no-untyped-def]
    args = [mode]
    for limit, cost in zip(rates, costs, strict=True):
        args += [limit.every, limit.burst, cost]
    if script is MOVED:
        args += [now // SECOND, now % SECOND]
    return client.eval(script, len(keys), *keys, *args)


def model(mode: str, tats: list[int], rates: list[Rate], costs: list[int], now: int) -> tuple[list[int], list[int]]:
    """States and answers as `kernel.gcra` has them."""
    refused = False
    after, waits, backlogs = list(tats), [], []
    for i, (limit, cost) in enumerate(zip(rates, costs, strict=True)):
        start = min(max(tats[i], now), now + 2 * limit.window)
        waits.append(max(0, take(start, now, limit, cost)[1]))
        backlogs.append(start - now)
        after[i] = max(now, start + cost * limit.every) if cost else tats[i]
        refused = refused or (mode == "take" and waits[i] > 0)
    if refused:
        after = tats
    else:
        backlogs = [after[i] - now if cost else backlogs[i] for i, cost in enumerate(costs)]
    return after, [number for pair in zip(backlogs, waits, strict=True) for number in pair]


@settings(max_examples=150, deadline=None)
@given(rates, calls)
def test_it_is_the_model(redis_url_of_session: str, rates: list[Rate], calls: list[tuple[str, int, list[int]]]) -> None:
    now, tats, tag = START, [0, 0, 0], uuid4().hex
    keys = [f"test:{{{tag}}}:{i}" for i in range(3)]
    with redis.Redis.from_url(redis_url_of_session) as client:
        for mode, pause, costs in calls:
            now += pause
            if mode == "settle":
                costs = [costs[0], 0, -costs[2]]  # what passed, nothing, and what is given back
            tats, answers = model(mode, tats, rates, costs, now)
            assert call(client, MOVED, mode, keys, rates, costs, now) == answers


@pytest.fixture(scope="module")
def redis_url_of_session(engines):  # type: ignore[no-untyped-def]
    return engines.redis_url


def test_it_goes_by_the_servers_clock_and_leaves_nothing_behind(client: "redis.Redis") -> None:
    assert CLOCK in SCRIPT
    limit = Rate(20_000, 3)
    keys = ["test:{a}:1"]
    waits = [call(client, SCRIPT, "take", keys, [limit], [1], 0)[1] for _ in range(4)]
    assert waits[:3] == [0, 0, 0]
    assert 0 < waits[3] <= limit.every
    assert 0 < client.pttl(keys[0]) <= 60
    time.sleep(waits[3] / SECOND)
    assert call(client, SCRIPT, "take", keys, [limit], [1], 0)[1] == 0
    time.sleep(0.1)
    assert client.exists(keys[0]) == 0


def test_all_keys_of_a_call_pass_or_none_is_charged(client: "redis.Redis") -> None:
    wide, narrow = Rate(SECOND, 100), Rate(SECOND, 1)
    keys = ["test:{b}:wide", "test:{b}:narrow"]
    assert call(client, SCRIPT, "take", keys, [wide, narrow], [1, 1], 0)[1::2] == [0, 0]
    before = client.get(keys[0])
    assert call(client, SCRIPT, "take", keys, [wide, narrow], [1, 1], 0)[3] > 0
    assert client.get(keys[0]) == before


def test_a_clock_that_went_back_locks_nobody_out(client: "redis.Redis") -> None:
    limit = Rate(SECOND, 5)
    client.set("test:{c}:1", START + 10**15)
    backlog, wait = call(client, SCRIPT, "take", ["test:{c}:1"], [limit], [1], 0)
    assert backlog == 2 * limit.window
    assert wait == limit.window + limit.every
