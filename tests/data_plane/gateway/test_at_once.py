"""Events from memory take a short way through the dispatcher; what is odd about one is left to the long way."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from data_plane.fanout.hub import Hub
from data_plane.gateway import packets
from data_plane.gateway.connection import UserConnection
from data_plane.gateway.dispatcher import Dispatcher
from data_plane.gateway.gateway import encode_entries
from data_plane.identity.caller import UserCaller
from data_plane.log import LogKey, LogReader
from data_plane.typing.socket import Typing

NOW = datetime(2026, 1, 15, tzinfo=UTC)


class Wire:
    """A transport that keeps what goes out."""

    def __init__(self) -> None:
        self.sent = []

    def send(self, frame) -> None:
        assert frame.wire[2:] == b"4" + frame.messages[0]
        self.sent += frame.messages

    send_soon = send

    def close(self) -> None:
        pass


@pytest.fixture
def room(app):
    """A connected member of the channel `den`, and the dispatcher."""
    system = app.world.shard.system
    hub = Hub(LogReader(system, "test"), encode=encode_entries)
    dispatcher = Dispatcher([])
    for route in Typing(app.world.shard, hub, lambda entries: None).routes():
        dispatcher.add_immediate(route)
    caller = UserCaller(
        app=app.snapshot, app_id=app.id, user_id="ann", token_issued_at=NOW, token_expires_at=NOW + timedelta(hours=1)
    )
    connection = UserConnection("con_1", caller, Wire())
    connection.credit = 100
    hub.join(connection, LogKey(app.id, "c:den"), 1)
    return dispatcher, connection


GOOD = [
    b'20["typing.start",{"channel_id":"den"}]',
    b'27["typing.stop",{"channel_id":"den"}]',
    b'29999999999["typing.start",{"channel_id":"d\\u0065n"}]',
    b'21["typing.start", { "channel_id" : "den" } ]',
]
LEFT = [
    b'2["typing.start",{"channel_id":"den"}]',
    b'207["typing.start",{"channel_id":"den"}]',
    b'299999999999["typing.start",{"channel_id":"den"}]',
    b'21[ "typing.start",{"channel_id":"den"}]',
    b'21["typing\\u002estart",{"channel_id":"den"}]',
    b'21["typing.start"]',
    b'21["typing.start",{"channel_id":"den"},1]',
    b'21["typing.start",{"channel_id":"den","x":1}]',
    b'21["typing.start",{"channel_id":5}]',
    b'21["typing.start",{"channel_id":"d\\u0000en"}]',
    b'21["typing.start",{"channel_id":"nowhere"}]',
    b'21["typing.start",{"channel_id":"d n"}]',
    b'21["typing.start",{"channel_id":"\xff"}]',
    b'21["typing.start",{"channel_id":"den"}',
    b'21["typing.start",{}]',
    b'21["nothing.known",{"channel_id":"den"}]',
    b'31["typing.start",{"channel_id":"den"}]',
    b'2/x,1["typing.start",{"channel_id":"den"}]',
    b'21["typing.start",{"channel_id":"den"' + b" " * packets.MAX_PACKET + b"}]",
    b"2",
    b"",
]


@pytest.mark.parametrize("message", GOOD)
async def test_what_is_in_order_is_answered_as_the_long_way_would(room, message):
    dispatcher, connection = room
    first, again = dispatcher.at_once(connection, b"4" + message), dispatcher.at_once(connection, b"4" + message)
    assert dispatcher.dispatch(connection, packets.decode(message)) is None
    assert first == again == b"4" + connection.transport.sent[0]
    assert first.endswith(b"[{}]")


@pytest.mark.parametrize("message", LEFT)
async def test_whatever_is_odd_is_left_to_the_long_way(room, message):
    dispatcher, connection = room
    for good in GOOD:
        dispatcher.at_once(connection, b"4" + good)  # what was read before must not be taken for it
    assert dispatcher.at_once(connection, b"4" + message) is None
    assert connection.transport.sent == []


async def test_a_stranger_to_a_channel_gets_the_long_ways_refusal(room):
    dispatcher, connection = room
    message = b'25["typing.start",{"channel_id":"attic"}]'
    assert dispatcher.at_once(connection, b"4" + message) is None
    dispatcher.dispatch(connection, packets.decode(message))
    (answer,) = connection.transport.sent
    assert orjson.loads(answer[2:])[0]["error"]["code"] == "not_found"
