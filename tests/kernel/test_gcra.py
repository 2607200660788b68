"""GCRA: no more passes than the burst and the rate allow, and no less."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.gcra import SECOND, Rate, rate, remaining, seconds, take

rates = st.builds(Rate, every=st.integers(1, 2_000_000), burst=st.integers(1, 30))
steps = st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 3)), max_size=60)


@given(rates, steps)
def test_no_window_holds_more_than_burst_and_rate(limit: Rate, steps: list[tuple[int, int]]) -> None:
    tat = now = 0
    passed: list[tuple[int, int]] = []
    for pause, cost in steps:
        now += pause
        before, (tat, wait) = tat, take(tat, now, limit, cost)
        if wait == 0:
            passed.append((now, cost))
        else:
            assert tat == max(before, now), "a refusal changed the bucket"
    for i, (start, _) in enumerate(passed):
        units = 0
        for end, cost in passed[i:]:
            units += cost
            assert units <= limit.burst + (end - start) / limit.every


@given(rates, steps)
def test_who_waits_as_told_passes_and_not_sooner(limit: Rate, steps: list[tuple[int, int]]) -> None:
    tat = now = 0
    for pause, cost in steps:
        cost = min(cost, limit.burst)
        now += pause
        tat, wait = take(tat, now, limit, cost)
        if wait > 0:
            assert take(tat, now + wait - 1, limit, cost)[1] > 0
            assert take(tat, now + wait, limit, cost)[1] == 0


@given(rates, st.integers(0, 100_000_000), st.integers(0, 100_000_000))
def test_what_remains_would_pass_and_one_more_would_not(limit: Rate, tat: int, now: int) -> None:
    left = remaining(tat, now, limit)
    assert left == 0 or take(tat, now, limit, left)[1] == 0
    assert take(tat, now, limit, left + 1)[1] > 0


def test_rates_are_given_in_units_a_second() -> None:
    assert rate(10, 50) == Rate(100_000, 50)
    assert rate(10, 50).window == 5 * SECOND
    assert rate(3, 1).per_second <= 3
    assert rate(0.5, 1).every == 2 * SECOND
    for wrong in ((0, 1), (-1, 1), (math.inf, 1), (math.nan, 1), (1, 0), (2 * SECOND, 1)):
        with pytest.raises(ValueError):
            rate(*wrong)


def test_seconds_are_never_too_few() -> None:
    assert [seconds(n) for n in (-5, 0, 1, SECOND, SECOND + 1)] == [0, 0, 1, 1, 2]
