"""When keys were last used is told once a minute, and costs no request of its own."""

from datetime import timedelta

from data_plane.tenancy.key_uses import MOST, PERIOD, KeyUses, as_parameter
from kernel.clock import ManualClock


def test_a_busy_key_is_told_of_once_a_minute() -> None:
    clock = ManualClock()
    uses = KeyUses(clock)
    told = 0
    for _ in range(600):
        uses.note("key_a")
        due = uses.due()
        told += len(due)
        uses.told(due)
        clock.advance(timedelta(seconds=1))
    assert told == 10
    assert uses.due() == {}


def test_the_last_use_is_told_in_the_end_and_a_failed_poll_loses_none() -> None:
    clock = ManualClock()
    uses = KeyUses(clock)
    uses.note("key_a")
    assert uses.due() == uses.due() == {"key_a": clock.now()}, "until it was told"
    uses.told(uses.due())
    clock.advance(timedelta(seconds=30))
    uses.note("key_a")
    last = clock.now()
    for _ in range(5):
        clock.advance(PERIOD)
        due = uses.due()
        uses.told(due)
        if due:
            break
    assert due == {"key_a": last}


def test_many_keys_are_told_of_in_turn() -> None:
    uses = KeyUses(ManualClock())
    for number in range(MOST + 5):
        uses.note(f"key_{number}")
    first = uses.due()
    uses.told(first)
    second = uses.due()
    assert (len(first), len(second)) == (MOST, 5)
    assert as_parameter({"key_a": ManualClock().now()}) == f"key_a@{int(ManualClock().now().timestamp())}"
