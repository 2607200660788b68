"""Looking for NUL characters in what a client sent: where it is, and at what cost."""

import tracemalloc
from typing import Any

import pytest

from kernel.http.body import find_nul


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("\x00", ""),
        ({"a": [{"b": "x\x00"}]}, "a[0].b"),
        ({"a": {"b": {"c\x00": 1}}}, "a.b"),
        ([[1, "\x00"]], "[0][1]"),
        ({"a": "b", "c": [None, 1.5, True]}, None),
    ],
)
def test_the_place_is_named(value: Any, place: str | None) -> None:
    assert find_nul(value) == place


def test_a_long_key_around_a_long_list_costs_little_memory() -> None:
    value = {"k" * 30_000: [[] for _ in range(15_000)] + ["\x00"]}
    tracemalloc.start()
    assert find_nul(value) == "k" * 30_000 + "[15000]"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
