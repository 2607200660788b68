"""The packet codec: the protocol's forms, and refusal of everything else without harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.gateway import packets
from data_plane.gateway.packets import BinaryRefused, NamespaceRefused, Packet, decode
from kernel.errors import InvalidInput, Malformed, NatterError, TooLarge


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", Packet(b"0")),
        ('0{"token":"t"}', Packet(b"0", payload={"token": "t"})),
        ("0/admin,", Packet(b"0", "/admin")),
        ("0/admin?a=b,{}", Packet(b"0", "/admin")),
        ("1", Packet(b"1")),
        ('2["message.send",{"a":1}]', Packet(b"2", event="message.send", payload={"a": 1}, arguments=[{"a": 1}])),
        ('217["sync"]', Packet(b"2", ack_id=17, event="sync", payload={}, arguments=[])),
        ("31[{}]", Packet(b"3", ack_id=1, payload=[{}])),
    ],
)
def test_the_protocols_forms_are_read(text: str, expected: Packet) -> None:
    assert decode(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", Malformed),
        ("9", Malformed),
        ("2", Malformed),
        ("2{}", Malformed),
        ("2[]", Malformed),
        ("2[1]", Malformed),
        ('2["a",1,2]', Malformed),
        ('2["' + "a" * 65 + '"]', Malformed),
        ("0[]", Malformed),
        ('2["a",', Malformed),
        ('2["a",' + "[" * 5000 + "]" * 5000 + "]", Malformed),
        ('2["a","\\ud800"]', Malformed),
        ('2["a",{"b":"\\u0000"}]', InvalidInput),
        ("2" + "x" * packets.MAX_PACKET, TooLarge),
        ('51-["a",{"_placeholder":true,"num":0}]', BinaryRefused),
        ("61-[]", BinaryRefused),
        ('2/admin,["a"]', NamespaceRefused),
    ],
)
def test_everything_else_is_refused_with_a_reason(text: str, error: type[NatterError]) -> None:
    with pytest.raises(error):
        decode(text.encode())


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200) | st.text('0123456789[]{}",:/abc\\u', max_size=80))
def test_no_text_breaks_the_decoder(text: str) -> None:
    try:
        packet = decode(text.encode())
    except NatterError:
        return
    assert packet.type in (b"0", b"1", b"2", b"3")
