"""Where fuzzing begins: small inputs of each kind, our own."""

from tests.data_plane.gateway.raw import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

_ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
PACKETS = [
    b"0",
    b'0{"token":"eyJhbGciOiJIUzI1NiJ9.e30.c2ln","cursor":"AAAA"}',
    b"0/admin,",
    b'0/admin?a=b,{"token":"t"}',
    b"1",
    b"1/admin,",
    b'21["message.send",{"channel_id":"general","id":"%s","text":"Hello"}]' % _ID.encode(),
    b'2["typing.start",{"channel_id":"general"}]',
    b'217["sync"]',
    b'2/admin,3["a","b",{"c":[1,2.5,true,null]}]',
    b"31[{}]",
    b'3/admin,12["a"]',
    b'51-["baz",{"_placeholder":true,"num":0}]',
    b'52-/admin,7["baz",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]',
    b'61-15["bar",{"_placeholder":true,"num":0}]',
    b'2["a",{"b":"\\u0000"}]',
    b'2["a","\\ud83d\\ude00\\ud800"]',
    b'2["a",[[[[[[{"a":{"b":{}}}]]]]]]]',
    b'2["a",1e999,-0,123456789012345678901234567890]',
]
POLLED = [
    *(b"4" + each for each in PACKETS[:4]),
    b"4a\x1e4b\x1e3",
    b"3",
    b"1",
    b"bAQIDBA==",
    b"4a\x1ebAQID\x1e4b",
    b"2probe",
    b"\x1e\x1e",
    b'42["typing.start",{}]\x1e42["typing.stop",{}]',
]
STREAMS = [
    frame(TEXT, b"4hello"),
    frame(TEXT, b"4" + b"x" * 200),
    frame(TEXT, b"4a", fin=False) + frame(CONTINUATION, b"b", fin=False) + frame(CONTINUATION, b"c"),
    frame(BINARY, b"\x00\x01\xff"),
    frame(PING, b"beat") + frame(TEXT, b"3"),
    frame(TEXT, b"4a") + frame(CLOSE, b"\x03\xe8bye"),
    frame(TEXT, b"1"),
    frame(TEXT, b"4" + b"y" * 4_095),
]
FRAMES = [
    b"\x08\x05hello",
    b"\x18\x01a\x14\x01b\x04\x01c",
    b"\x02\x03\x00\x01\xff\x05\x04beat",
    b"\x48\x20" + b"z" * 32,
    b"\x08\x01a\x06\x02\x03\xe8",
]
SEEDS: dict[str, list[bytes]] = {"packet": PACKETS, "polled": POLLED, "stream": STREAMS, "frames": FRAMES}
