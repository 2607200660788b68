"""Bus messages are spoiled whole, and nothing else is touched, however the bytes are cut."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.chaos.tamper import BusFilter, Tampering, end_of_reply


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(data), data)


def message(n: int, kind: bytes = b">") -> bytes:
    return kind + b"3\r\n" + bulk(b"smessage") + bulk(b"natter:s0:7") + bulk(b"\r\n%d\r\n" % n)


OTHERS = [b"+OK\r\n", b"-ERR no\r\n", b":12\r\n", b"$-1\r\n", b"*-1\r\n", b"_\r\n", bulk(b"\r\n>3\r\n"), b"#t\r\n"]
OTHERS += [b"*2\r\n" + bulk(b"pong") + bulk(b""), b"%1\r\n" + bulk(b"a") + b"*1\r\n:1\r\n", b"~2\r\n:1\r\n:2\r\n"]
OTHERS += [b">3\r\n" + bulk(b"ssubscribe") + bulk(b"natter:s0:7") + b":1\r\n"]


@given(st.lists(st.sampled_from(OTHERS) | st.integers(0, 99).map(message), max_size=20), st.data())
def test_with_everything_switched_off_bytes_pass_as_they_are(replies: list[bytes], data: st.DataObject):
    whole = b"".join(replies)
    one = BusFilter(Tampering(random.Random(1)), lambda late: None)
    passed, rest = b"", whole
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        passed += one.feed(rest[:cut])
        rest = rest[cut:]
    assert passed == whole


@pytest.mark.parametrize("reply", [*OTHERS, message(1), message(2, b"*")])
def test_the_end_of_a_reply_is_found_when_all_of_it_is_there(reply: bytes):
    assert end_of_reply(reply + b"+more\r\n") == len(reply)
    assert all(end_of_reply(reply[:size]) is None for size in range(1, len(reply)))


async def test_messages_are_lost_doubled_and_late_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ops.chaos.tamper.LATE_SECONDS", (0.01, 0.05))
    tampering, late = Tampering(random.Random(1)), []
    tampering.on = True
    one = BusFilter(tampering, late.append)
    sent = [message(n) for n in range(300)]
    passed = [one.feed(reply) for reply in sent]
    assert [one.feed(reply) for reply in OTHERS] == OTHERS
    await asyncio.sleep(0.2)
    assert set(tampering.done) == {"drop", "double", "swap"}
    assert passed.count(b"") == tampering.done["drop"] + tampering.done["swap"]
    assert len(late) == tampering.done["double"] + tampering.done["swap"]
    assert set(passed) | set(late) <= {*sent, b""}
