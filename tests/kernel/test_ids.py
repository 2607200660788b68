"""Ids sort by time, survive the round trip, and nothing else passes for one."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import ManualClock
from kernel.errors import InvalidInput
from kernel.ids import Ids, check_customer_id, decode, encode, encode_all, format_id, parse_id


@given(st.uuids())
def test_an_id_is_its_uuid_in_other_letters(value) -> None:  # type: ignore[no-untyped-def]
    assert decode(encode(value)) == value
    assert parse_id("msg", format_id("msg", value)) == value


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=101))
def test_many_ids_at_once_are_what_each_is_alone(values) -> None:  # type: ignore[no-untyped-def]
    assert encode_all(values) == [encode(UUID(bytes=value)) for value in values]


@given(st.uuids(), st.uuids())
def test_ids_sort_as_their_uuids_do(a, b) -> None:  # type: ignore[no-untyped-def]
    assert (encode(a) < encode(b)) == (a.bytes < b.bytes)


def test_ids_made_in_one_millisecond_still_grow() -> None:
    ids = Ids(ManualClock())
    made = [ids.uuid7() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {value.version for value in made} == {7}


@pytest.mark.parametrize(
    "text", ["", "msg_", "app_" + "0" * 26, "msg_" + "0" * 25, "msg_" + "u" * 26, "msg_" + "z" * 26]
)
def test_what_is_no_id_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="`message_id` must be"):
        parse_id("msg", text, field="message_id")


@pytest.mark.parametrize("text", ["", "a" * 65, "a b", "ä", "a\n", "a/b"])
def test_customers_own_ids_keep_to_their_alphabet(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_customer_id(text, field="user_id")
