"""One form of time on the wire, from whatever it is made."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import rfc3339, rfc3339_of_millis


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_milliseconds_give_what_the_instant_gives(millis: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
    assert rfc3339_of_millis(millis) == rfc3339(at)
