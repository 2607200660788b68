"""What a message may hold."""

import pytest

from data_plane.messages.schemas import check_content, content_hash
from kernel.errors import InvalidInput


def nested(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("text", "attachments", "custom"),
    [
        ("x" * 20_000, None, None),
        ("", [{}], None),
        ("x", None, {"a": [2**64 - 1, -(2**63), 2.0**53 - 1, 1e-30, 0.0, "1e300", "0" * 400]}),
        (None, [{"type": "image"}] * 30, {}),
        ("🙂", None, {"a": [1, 2.5, None, True]}),
        ("x", [nested(7)], nested(8)),
        ("x", [{"a": "x" * 15_990}], {"a": "x" * 4_991}),
    ],
)
def test_content_within_the_limits_is_taken(text, attachments, custom):
    content = check_content(text, attachments, custom)
    assert (content.text, content.attachments, content.custom) == (text or "", attachments or [], custom or {})


@pytest.mark.parametrize(
    ("text", "attachments", "custom", "field"),
    [
        ("x" * 20_001, None, None, "text"),
        ("", None, None, "text"),
        (" \n", [], None, "text"),
        (None, None, {"a": 1}, "text"),
        ("a\x00b", None, None, "text"),
        ("\ud83d", None, None, "text"),
        ("x", [{}] * 31, None, "attachments"),
        ("x", ["no object"], None, "attachments"),
        ("x", [nested(8)], None, "attachments"),
        ("x", [{"a": "x" * 16_000}], None, "attachments"),
        ("x", [{"a": "\x00"}], None, "attachments"),
        ("x", None, nested(9), "custom"),
        ("x", None, {"a": "x" * 5_000}, "custom"),
        ("x", None, {"a": 2**64}, "custom"),
        ("x", None, {"a": [1.6e300]}, "custom"),
        ("x", None, {"a": {"b": -1e-31}}, "custom"),
        ("x", [{"a": 2.0**53}], None, "attachments"),
        ("x", None, {"a\x00": 1}, "custom"),
        ("x", None, {"a": "\udc00"}, "custom"),
    ],
)
def test_content_beyond_the_limits_is_refused_and_named(text, attachments, custom, field):
    with pytest.raises(InvalidInput) as refused:
        check_content(text, attachments, custom)
    assert refused.value.data["field"] == field


def test_a_depth_that_would_exhaust_the_stack_is_refused():
    deep = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(InvalidInput):
        check_content("x", None, deep)


def test_the_hash_tells_what_was_said_and_not_how_it_was_written():
    said = content_hash("ann", "den", "hi", None, {"a": 1, "b": 2}, False)
    assert len(said) == 16
    assert said == content_hash("ann", "den", "hi", [], {"b": 2, "a": 1}, False)
    others = [
        content_hash("bob", "den", "hi", None, {"a": 1, "b": 2}, False),
        content_hash("ann", "den2", "hi", None, {"a": 1, "b": 2}, False),
        content_hash("ann", "den", "hi!", None, {"a": 1, "b": 2}, False),
        content_hash("ann", "den", "hi", [{}], {"a": 1, "b": 2}, False),
        content_hash("ann", "den", "hi", None, {"a": 1}, False),
        content_hash("ann", "den", "hi", None, {"a": 1, "b": 2}, True),
        content_hash("ann", "denhi", "", None, {"a": 1, "b": 2}, False),
    ]
    assert len({said, *others}) == 8
