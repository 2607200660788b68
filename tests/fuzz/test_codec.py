"""Properties of the codec for any input: the documented errors only, bounded time and memory, nothing lost."""

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_plane.gateway import packets
from data_plane.gateway.attachments import MAX_DEPTH, Assembly, take_out
from data_plane.gateway.packets import Packet, decode
from kernel.errors import Malformed, NatterError, TooLarge
from kernel.http import body
from tests.fuzz import targets
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import EVERYTHING

text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
number = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
leaf = st.none() | st.booleans() | number | text
json = st.recursive(leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))
name = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=64)
ack_id = st.none() | st.integers(0, 10**packets.MAX_ACK_ID - 1)
mixed = st.recursive(
    leaf | st.binary(max_size=20), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)
)
noise = st.binary(max_size=300)


@st.composite
def near(draw: Any, kind: str) -> bytes:
    """A seed with some bytes changed, cut or doubled."""
    data = bytearray(draw(st.sampled_from(SEEDS[kind])))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        what = draw(st.sampled_from(("set", "cut", "put", "double")))
        if what == "set" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif what == "cut":
            del data[at : at + draw(st.integers(1, 8))]
        elif what == "put":
            data[at:at] = draw(st.binary(max_size=8))
        else:
            data[at:at] = data[: draw(st.integers(0, 60))]
    return bytes(data)


# -- any input ---------------------------------------------------------------------------------------------------------


@given(noise | near("packet"))
def test_any_packet_is_read_or_refused(data: bytes) -> None:
    targets.packet(data)


@given(noise | near("polled"))
def test_of_any_request_body_the_packets_up_to_the_first_bad_one_are_taken(data: bytes) -> None:
    targets.polled(data)


@given(noise | near("stream"))
def test_of_any_stream_what_is_heard_is_what_it_says(data: bytes) -> None:
    targets.stream(data)


@given(noise | near("frames"))
def test_of_any_frames_what_is_heard_is_what_they_say(data: bytes) -> None:
    targets.frames(data)


# -- round trips -------------------------------------------------------------------------------------------------------


@given(name, json, ack_id)
def test_an_event_that_is_written_is_read_again(event: str, payload: Any, ack: int | None) -> None:
    written = b"2" + (b"%d" % ack if ack is not None else b"") + orjson.dumps([event, payload])
    assert decode(written) == Packet(b"2", "/", ack, event, payload, [payload])


@given(st.text("abcdefghij.", min_size=1, max_size=64), json)
def test_what_the_server_writes_is_an_event(event: str, payload: Any) -> None:
    read = decode(packets.encode_event(event, orjson.dumps(payload)))
    assert (read.event, read.payload) == (event, payload)


@given(st.integers(0, 10**packets.MAX_ACK_ID - 1), json)
def test_what_the_server_answers_is_an_acknowledgement(ack: int, answer: Any) -> None:
    assert decode(packets.encode_ack(ack, orjson.dumps(answer))) == Packet(b"3", "/", ack, payload=[answer])


@given(st.lists(mixed, max_size=4))
def test_attachments_that_are_taken_out_go_back_in(arguments: list[Any]) -> None:
    value, parts = take_out(arguments)
    if not parts or len(parts) > EVERYTHING.attachments or b"_placeholder" in orjson.dumps(arguments, default=repr):
        return
    packet = decode(b"5%d-" % len(parts) + orjson.dumps(["baz", *value]), EVERYTHING)
    assembly, whole = Assembly(packet), None
    for part in parts:
        assert whole is None
        whole = assembly.add(part)
    assert whole is not None
    assert list(whole.arguments) == arguments


# -- bounds ------------------------------------------------------------------------------------------------------------

DEEP = 100_000
LARGE = packets.MAX_PACKET - 16
PATHOLOGICAL: dict[str, bytes] = {
    "lists, 100,000 deep": b'2["a",' + b"[" * DEEP + b"]" * DEEP + b"]",
    "lists that never close": b'2["a",' + b"[" * LARGE,
    "lists as deep as fit": b'2["a",' + b"[" * (LARGE // 2) + b"]" * (LARGE // 2) + b"]",
    "objects as deep as fit": b'2["a",' + b'{"":' * (LARGE // 6) + b"1" + b"}" * (LARGE // 6) + b"]",
    "as deep as the parser goes": b'2["a",' + b"[" * 1_000 + b"]" * 1_000 + b"]",
    "many small lists": b'2["a",[' + b"[]," * (LARGE // 3 - 2) + b"[]]]",
    "one object of many keys": b'2["a",{' + b",".join(b'"%d":0' % n for n in range(6_000)) + b"}]",
    "one key many times": b'2["a",{' + b'"k":[],' * (LARGE // 7 - 2) + b'"k":1}]',
    "a number of many digits": b'2["a",' + b"9" * LARGE + b"]",
    "a fraction of many digits": b'2["a",0.' + b"0" * LARGE + b"1]",
    "an exponent of many digits": b'2["a",1e' + b"9" * LARGE + b"]",
    "an id of many digits": b"2" + b"1" * LARGE,
    "many escapes": b'2["a","' + b"\\u00e9" * (LARGE // 6 - 2) + b'"]',
    "a NUL at the end of many": b'2["a",["' + b'","' * (LARGE // 3 - 6) + b'\\u0000"]]',
    "a long key around a long list, and a NUL": b'2["a",{"'
    + b"k" * 30_000
    + b'":['
    + b"[]," * 10_000
    + b'"\\u0000"]}]',
    "a namespace without end": b"2/" + b"n" * LARGE,
    "a count of attachments without end": b"5" + b"9" * LARGE,
    "a billion attachments": b'51000000000-["a"]',
    "placeholders without end": b'51-["a",' + b'{"_placeholder":true,"num":0},' * 2_000 + b"1]",
    "not UTF-8": b'2["' + b"\xff\xfe\xc0\x80" * (LARGE // 4) + b'"]',
    "whitespace": b"2" + b" " * LARGE + b"[]",
}


@pytest.mark.parametrize("what", PATHOLOGICAL)
@pytest.mark.parametrize("rules", [packets.PRODUCT, EVERYTHING], ids=["product", "everything"])
def test_the_worst_packets_take_little_time_and_memory(what: str, rules: packets.Rules) -> None:
    data = PATHOLOGICAL[what]
    seconds, memory = cost(lambda: _read(data, rules))
    assert seconds < 0.5
    assert memory < 20_000_000


def _read(data: bytes, rules: packets.Rules) -> None:
    try:
        packet = decode(data, rules)
        if packet.attachments:
            Assembly(packet).add(b"")
        take_out([packet.payload, *packet.arguments])
    except NatterError:
        pass


def cost(work: Callable[[], None]) -> tuple[float, int]:
    """Seconds of this thread, and the most memory held. What the process holds of other tests is no part of it: many
    small objects bring a collection of garbage about, which would walk all of that."""
    gc.disable()
    try:
        began = time.thread_time()
        work()
        seconds = time.thread_time() - began
        tracemalloc.start()
        work()
        return seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.enable()


def test_the_bounds_would_be_seen_to_be_broken() -> None:
    _, memory = cost(lambda: [*range(700_000)].clear())
    assert memory > 20_000_000
    seconds, _ = cost(lambda: time.sleep(0.01) or [hash(n) for n in range(100_000)].clear())
    assert seconds > 0.001


def test_attachments_refuse_what_is_nested_too_deeply() -> None:
    for depth, fits in ((MAX_DEPTH, True), (MAX_DEPTH + 2, False), (900, False)):
        value: Any = b"x"
        for _ in range(depth):
            value = [value]
        if fits:
            assert targets.filled(take_out(value)) == value
        else:
            with pytest.raises(Malformed):
                take_out(value)


def test_bodies_nested_100_000_deep_are_refused() -> None:
    for data in (b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"[" * DEEP):
        for kind in (Any, dict[str, Any], list[Any]):
            with pytest.raises((Malformed, NatterError)):
                body.decode(data, msgspec.json.Decoder(kind), kind)
    with pytest.raises(TooLarge):
        decode(b'2["a",' + b"[" * DEEP)


@example(b"4a\x1e" * 1_300)
@example(b"3\x1e" * 2_000)
@example(b"\x1e" * 4_000)
@example(b"b" + b"A" * 4_000)
@given(st.just(b"4"))
def test_bodies_of_very_many_packets_are_taken(data: bytes) -> None:
    targets.polled(data)
